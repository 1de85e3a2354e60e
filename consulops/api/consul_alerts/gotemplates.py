"""From the Go templates of consul-alerts' payloads to the templates of a notifier's body. Pure.

Only what its documented template data invites to: fields, if, else, range, eq, ne, not. HTML
escapes, which consul-alerts adds to JSON, are not repeated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_ACTION = re.compile(
    r"\{\{(-(?=\s))?\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|[^}\"])*?)\s*(-)?\}\}", re.S
)
_WORD = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`|[^\s"`]+')
_RANGE = re.compile(r"range\s+(?:(\$\w+)\s*(?:,\s*(\$\w+)\s*)?:=\s*)?(\S+)\Z")
_JINJA = re.compile(r"\{\{|\{%|\{#|[#%}]\}")

_OF_STATUS = "(alerts|selectattr('status', 'equalto', '{}')|list|length)"
_FAILS = _OF_STATUS.format("critical")
_WARNS = _OF_STATUS.format("warning")
# A check that is gone counts as one that passes: consul-alerts knows no other end.
_PASSES = f"((alerts|length) - {_FAILS} - {_WARNS})"
_SYSTEM = f"('CRITICAL' if {_FAILS} else 'UNSTABLE' if {_WARNS} else 'HEALTHY')"
_ROOT = {
    "SystemStatus": _SYSTEM,
    "FailCount": _FAILS,
    "WarnCount": _WARNS,
    "PassCount": _PASSES,
    "IsCritical": f"({_FAILS} > 0)",
    "IsWarning": f"({_FAILS} == 0 and {_WARNS} > 0)",
    "IsPassing": f"({_FAILS} == 0 and {_WARNS} == 0)",
}
_MESSAGE = {
    "Node": "node",
    "ServiceId": "service_id",
    "Service": "service",
    "CheckId": "check",
    "Check": "name",
    "Status": "status",
    "Output": "output",
    "Timestamp": "since",
}
_ASKED = {
    "IsCritical": "({}.status == 'critical')",
    "IsWarning": "({}.status == 'warning')",
    "IsPassing": "({}.is_resolved)",
}


class Untranslatable(Exception):
    """Something in a Go template that has no counterpart here; the text names it."""


@dataclass(slots=True)
class _Place:
    """What the dot and the variables mean where we are: "root", "nodes", "messages", "message"."""

    sort: str
    name: str = ""
    variables: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Open:
    """A block that waits for its end: what closes it, and where we were before."""

    end: str
    outside: _Place


def payload(templates: Mapping[str, str], cluster_name: str) -> str:
    """The body of consul-alerts' HTTP endpoint: an object of texts. Raises Untranslatable."""
    parts, names = [], []
    for number, (name, template) in enumerate(templates.items()):
        try:
            parts.append(f"{{% set v{number} %}}{translate(template, cluster_name)}{{% endset %}}")
        except Untranslatable as error:
            raise Untranslatable(f"“{name}”: {error}") from None
        names.append(f"{_text(json.dumps(name))}: {{{{ v{number}|tojson }}}}")
    return "".join(parts) + "{" + ", ".join(names) + "}"


def translate(template: str, cluster_name: str) -> str:
    """The same template for us, of all alerts of a message. Raises Untranslatable."""
    return _written(template, _Writer(cluster_name))


def of_message(template: str) -> str:
    """A template whose dot is one alert, for us. Raises Untranslatable."""
    writer = _Writer("")
    writer.place = _Place("message", "alert")
    return _written(template, writer)


def _written(template: str, writer: _Writer) -> str:
    position = 0
    for action in _ACTION.finditer(template):
        writer.text(template[position : action.start()], trim_end=bool(action[1]))
        writer.action(action[2].strip())
        writer.trims = bool(action[3])
        position = action.end()
    writer.text(template[position:])
    if "{{" in _ACTION.sub("", template):
        raise Untranslatable("an action is not closed")
    if writer.open:
        raise Untranslatable("an “end” is missing")
    return "".join(writer.parts)


class _Writer:
    def __init__(self, cluster_name: str) -> None:
        self.parts: list[str] = []
        self.open: list[_Open] = []
        self.place = _Place("root")
        self.trims = False
        self._cluster_name = cluster_name
        self._after_block = False

    def text(self, text: str, trim_end: bool = False) -> None:
        """Literal text between actions."""
        text = text.lstrip() if self.trims else text
        text = text.rstrip() if trim_end else text
        if self._after_block and text.startswith("\n"):
            # One line break after a block is ours, not the message's.
            text = "\n" + text
        self._after_block = self._after_block and not text
        self.parts.append(_text(text))

    def action(self, words: str) -> None:
        """What stands between the braces."""
        head = words.partition(" ")[0]
        if words.startswith("/*"):
            return
        if head in ("if", "range", "else", "end"):
            self.parts.append("".join(self._block(head, words)))
            self._after_block = True
            return
        self.parts.append(f"{{{{ {self._value(words)} }}}}")
        self._after_block = False

    def _block(self, head: str, words: str) -> Iterator[str]:
        rest = words[len(head) :].strip()
        if head == "if":
            self.open.append(_Open("endif", self.place))
            yield f"{{% if {self._value(rest)} %}}"
        elif head == "range":
            self.open.append(_Open("endfor", self.place))
            yield self._range(words)
        elif not self.open:
            raise Untranslatable(f"“{words}” without a beginning")
        elif head == "end":
            block = self.open.pop()
            self.place = block.outside
            yield f"{{% {block.end} %}}"
        elif rest:
            if not rest.startswith("if ") or self.open[-1].end != "endif":
                raise Untranslatable(f"“{words}”")
            yield f"{{% elif {self._value(rest[3:].strip())} %}}"
        else:
            self.place = self.open[-1].outside
            yield "{% else %}"

    def _range(self, words: str) -> str:
        found = _RANGE.match(words)
        if not found:
            raise Untranslatable(f"“{words}”")
        first, second, what = found.groups()
        sort, name = self._resolve(what)
        depth = len(self.open)
        key, value = f"key{depth}", f"value{depth}"
        variables = {**self.place.variables}
        inner = {"nodes": "messages", "messages": "message"}.get(sort)
        if inner is None:
            raise Untranslatable(f"“{words}”")
        if first and second:
            variables[first] = ("text", key)
        if first:
            variables[second or first] = (inner, value)
        self.place = _Place(inner, value, variables)
        if sort == "nodes":
            return f"{{% for {key}, {value} in alerts|groupby('node') %}}"
        counter = f"{{% set {key} = loop.index0 %}}" if second else ""
        return f"{{% for {value} in {name} %}}{counter}"

    def _resolve(self, word: str) -> tuple[str, str]:
        """The sort and the name of what a word means."""
        if word == "$.Nodes" or (word == ".Nodes" and self.place.sort == "root"):
            return "nodes", ""
        if word == ".":
            return self.place.sort, self.place.name
        if word in self.place.variables:
            return self.place.variables[word]
        return "value", self._field(word)

    def _value(self, words: str) -> str:
        parts = _WORD.findall(words)
        if not parts:
            raise Untranslatable("an empty action")
        if parts[0] in ("eq", "ne") and len(parts) == 3:
            sign = "==" if parts[0] == "eq" else "!="
            return f"({self._operand(parts[1])} {sign} {self._operand(parts[2])})"
        if parts[0] == "not" and len(parts) == 2:
            return f"(not {self._operand(parts[1])})"
        if parts[0] == "len" and len(parts) == 2:
            sort, name = self._resolve(parts[1])
            things = "alerts|groupby('node')" if sort == "nodes" else name
            return f"({things}|length)"
        if len(parts) != 1:
            raise Untranslatable(f"“{words}”")
        return self._operand(parts[0])

    def _operand(self, word: str) -> str:
        if word[0] == '"':
            try:
                return _quoted(json.loads(word))
            except ValueError:
                raise Untranslatable(f"{word}") from None
        if word[0] == "`":
            return _quoted(word[1:-1])
        if word.isascii() and word.isdigit():
            return word
        sort, name = self._resolve(word)
        if sort in ("value", "text") and name:
            return name
        if sort in ("nodes", "messages"):
            # As a condition: whether there are any.
            return "alerts" if sort == "nodes" else name
        raise Untranslatable(f"“{word}”")

    def _field(self, word: str) -> str:
        variable, dot, name = word.partition(".")
        if not dot or "." in name:
            raise Untranslatable(f"“{word}”")
        sort, owner = self.place.sort, self.place.name
        if variable == "$":
            sort, owner = "root", ""
        elif variable:
            sort, owner = self.place.variables.get(variable, ("", ""))
        if sort == "root" and name == "ClusterName":
            return _quoted(self._cluster_name)
        if sort == "root" and name in _ROOT:
            return _ROOT[name]
        if sort == "message" and name in _MESSAGE:
            return f"{owner}.{_MESSAGE[name]}"
        if sort == "message" and name in _ASKED:
            return _ASKED[name].format(owner)
        raise Untranslatable(f"“{word}”")


def _quoted(text: str) -> str:
    # JSON's escapes are also those of a template's texts.
    return json.dumps(text, ensure_ascii=False)


def _text(text: str) -> str:
    return _JINJA.sub(lambda found: f"{{{{ {_quoted(found[0])} }}}}", text)
