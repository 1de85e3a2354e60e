"""Jinja2 for templates of people: it reads facts and makes text, in bounded time and memory.

Jinja2's own sandbox keeps a template away from Python's insides, but lets it loop for hours and
fill the memory. Here each piece of text, each list and the whole of a rendering have a bound, and
whatever cannot be bounded (`format`, `center`, recursion over loops …) is not there.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, timedelta
from typing import Any

from jinja2 import StrictUndefined, Template, nodes, pass_context
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, _PassArg
from jinja2.visitor import NodeTransformer

from consulops.notifiers import filters

# Characters of a template, of any text that it makes, and of all texts of one rendering.
LONGEST_TEMPLATE = 20_000
LONGEST_TEXT = filters.LONGEST_TEXT
_MOST_IN_ALL = 4 * LONGEST_TEXT
# Of the thread's own time: a busy machine must not make a good template fail.
MOST_CPU_S = 1.0
_MOST_RANGE = 1000
_MOST_BITS = 1024
# Names that no template can write.
_EACH, _HELD, _JOINED = " each", " held", " joined"

_TEXT_METHODS = frozenset(
    [
        "capitalize",
        "casefold",
        "count",
        "endswith",
        "find",
        "index",
        "isalnum",
        "isalpha",
        "isdigit",
        "islower",
        "isnumeric",
        "isspace",
        "isupper",
        "lower",
        "lstrip",
        "partition",
        "removeprefix",
        "removesuffix",
        "rfind",
        "rindex",
        "rpartition",
        "rsplit",
        "rstrip",
        "split",
        "splitlines",
        "startswith",
        "strip",
        "swapcase",
        "title",
        "upper",
    ]
)
_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
_LIST_METHODS = frozenset({"count", "index"})


@dataclasses.dataclass(slots=True)
class _Budget:
    text: int = _MOST_IN_ALL
    until: float = 0.0

    def spend(self, text: int = 0) -> None:
        self.text -= text
        if self.text < 0:
            raise filters.TooMuch(
                f"all its texts together have more than {_MOST_IN_ALL:,} characters"
            )
        if time.thread_time() > self.until:
            raise filters.TooMuch(f"it takes more than {MOST_CPU_S:g} s")


_budget: ContextVar[_Budget] = ContextVar("budget of a template")


@contextmanager
def budget() -> Iterator[None]:
    """Gives one rendering its time and its room."""
    token = _budget.set(_Budget(until=time.thread_time() + MOST_CPU_S))
    try:
        yield
    finally:
        _budget.reset(token)


def render(template: Template, values: Mapping[str, Any]) -> str:
    """What the template makes of these values. Raises whatever a template may raise."""
    pieces, length = [], 0
    with budget():
        for piece in template.generate(values):
            length += len(piece)
            if length > LONGEST_TEXT:
                raise filters.TooMuch(f"it makes more than {LONGEST_TEXT:,} characters")
            pieces.append(piece)
    return "".join(pieces)


class Bounded(NodeTransformer):
    """Puts a check wherever a template may loop, join or hold many things."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        if node.recursive:
            raise TemplateSyntaxError("loops cannot be recursive here", node.lineno)
        # What is written in the loop is made again by each turn.
        written = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.iter = _filter(node.iter, _EACH, nodes.Const(written))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        self.generic_visit(node)
        return _filter(node.nodes[0], _JOINED, *node.nodes[1:])

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:
        self.generic_visit(node)
        return _filter(node, _HELD) if node.ctx == "load" else node

    def visit_List(self, node: nodes.List) -> nodes.Filter:
        self.generic_visit(node)
        return _filter(node, _HELD)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Filter:
        self.generic_visit(node)
        return _filter(node, _HELD)


def _filter(node: nodes.Node, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment in which all templates of people are compiled and rendered."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
            finalize=_finalize,
        )
        self.globals = {"range": _range, "namespace": Namespace}
        self.filters = {name: _counted(one) for name, one in filters.FILTERS.items()}
        self.filters |= {_EACH: _each, _HELD: filters.held, _JOINED: _joined}

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > LONGEST_TEMPLATE:
            raise TemplateSyntaxError(f"longer than {LONGEST_TEMPLATE:,} characters", 1)
        tree = super()._parse(source, name, filename)
        Bounded().visit(tree)
        return tree

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if not super().is_safe_attribute(obj, attr, value):
            return False
        match obj:
            case str():
                return attr in _TEXT_METHODS
            case Mapping():
                return attr in _MAPPING_METHODS
            case list() | tuple():
                # A group of `groupby` is a tuple with names.
                return attr in _LIST_METHODS or attr in getattr(obj, "_fields", ())
            case date() | timedelta() | LoopContext() | Macro() | Namespace():
                return True
        return dataclasses.is_dataclass(obj)

    def wrap_str_format(self, value: Any) -> None:
        """Leaves `format` to `is_safe_attribute`, which does not allow it."""

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _refuse_large(operator, left, right)
        return filters.held(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        _budget.get().spend()
        result = super().call(__context, __obj, *args, **kwargs)
        _budget.get().spend(len(result) if isinstance(result, str) else 0)
        return result


def _refuse_large(operator: str, left: Any, right: Any) -> None:
    """Raises filters.TooMuch when the result of an operator would be large, before it is made."""
    _budget.get().spend()
    if operator == "%" and isinstance(left, str):
        raise SecurityError("texts cannot be formatted with %; join them with ~")
    if operator == "+" and not isinstance(left, int):
        large = _size(left) + _size(right) > LONGEST_TEXT
    elif operator == "*" and not (isinstance(left, int) and isinstance(right, int)):
        times, one = (left, right) if isinstance(left, int) else (right, left)
        large = isinstance(times, int) and _size(one) * times > LONGEST_TEXT
    elif isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * (abs(right) if operator == "**" else 1)
        large = bits + right.bit_length() > _MOST_BITS
    else:
        large = False
    if large:
        raise filters.TooMuch(f"the result of {operator} is too large")


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else filters.weight(value)


def _each(items: Iterable[Any], written: int) -> Iterator[Any]:
    for item in items:
        _budget.get().spend(written)
        yield item


def _joined(*parts: Any) -> str:
    _budget.get().spend()
    return filters.join(parts)


def _counted(one: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, its time counted and its result held within the bounds."""

    # With the context it is no constant, so the compiler does not run it.
    @pass_context
    def counted(context: Context, *args: Any, **options: Any) -> Any:
        _budget.get().spend()
        return filters.held(one(*_first_of(one, context), *args, **options))

    return counted


def _first_of(one: Callable[..., Any], context: Context) -> tuple[Any, ...]:
    """What Jinja2 itself would give to this filter before the value."""
    match _PassArg.from_obj(one):
        case _PassArg.context:
            return (context,)
        case _PassArg.eval_context:
            return (context.eval_ctx,)
        case _PassArg.environment:
            return (context.environment,)
    return ()


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > _MOST_RANGE:
        raise filters.TooMuch(f"a range may have {_MOST_RANGE:,} numbers")
    return made


# With the context it is no constant, so nothing is printed when the template is compiled.
@pass_context
def _finalize(_: Context, value: Any) -> str:
    text = filters.text(value)
    _budget.get().spend(len(text))
    return text
