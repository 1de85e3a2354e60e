"""Text to plain data. YAML lets files lie: what would be taken wrongly is refused here."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import yaml

from consulops.api.configuration.problems import BadFile, problem

LARGEST_BYTES = 4_000_000
# With aliases a small file can stand for a huge one.
LARGEST_NODES = 500_000


def read(raw: bytes) -> dict[str, Any]:
    """The mapping that the file holds. Raises BadFile."""
    if len(raw) > LARGEST_BYTES:
        raise BadFile([f"the file is larger than {LARGEST_BYTES // 1_000_000} MB"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile([f"the file is not UTF-8: bad byte at position {error.start}"]) from None
    data = _parse(text)
    if data is None:
        raise BadFile(["the file is empty"])
    if not isinstance(data, dict):
        raise BadFile(["the file must hold sections such as clusters:, notifiers: and routes:"])
    if unreadable := list(_unreadable(data, ())):
        raise BadFile(unreadable)
    return data


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping: YAML would silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    f"the key {key!r} is not text; put it in quotes",
                    key_node.start_mark,
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _parse(text: str) -> object:
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _weigh(node, {})
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise BadFile([f"{where}{error.problem or error.context}"]) from None
    except yaml.reader.ReaderError as error:
        raise BadFile([f"position {error.position}: {error.reason}"]) from None
    except RecursionError:
        raise BadFile(["the file is nested too deeply"]) from None
    except ValueError as error:
        # PyYAML reads 2026-02-30 as a date.
        raise BadFile([f"a value cannot be read: {error}; put it in quotes"]) from None


def _weigh(node: yaml.Node, known: dict[int, int]) -> int:
    """How many nodes this one stands for with its aliases written out. Raises BadFile."""
    if id(node) in known:
        weight = known[id(node)]
        if not weight:
            raise BadFile(["an anchor holds itself"])
        return weight
    known[id(node)] = 0
    weight = 1
    if isinstance(node, yaml.SequenceNode):
        weight += sum(_weigh(child, known) for child in node.value)
    elif isinstance(node, yaml.MappingNode):
        weight += sum(_weigh(child, known) for pair in node.value for child in pair)
    if weight > LARGEST_NODES:
        raise BadFile(["the file holds too much"])
    known[id(node)] = weight
    return weight


def _unreadable(value: object, place: tuple[str | int, ...]) -> Iterator[str]:
    """Text that no database can keep: the character zero, and halves of a character."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _unreadable(key, place)
            yield from _unreadable(child, (*place, str(key)))
    elif isinstance(value, list):
        for position, child in enumerate(value):
            yield from _unreadable(child, (*place, position))
    elif isinstance(value, str) and (
        "\0" in value or any("\ud800" <= c <= "\udfff" for c in value)
    ):
        yield problem(place, "this text holds a character that cannot be stored")
