"""What a section of the file can do: it declares its form, applies its items, and exports them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from consulops.accounts.audit import Actor
from consulops.api.configuration.document import Document
from consulops.api.configuration.items import Item
from consulops.api.configuration.problems import problem

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What was done about one object: created, changed, unchanged or removed."""

    done: str
    kind: str
    name: str
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = f" ({', '.join(self.settings)})" if self.settings else ""
        return f"{self.done} {self.kind} {self.name}".rstrip() + names

    @classmethod
    def of(cls, created: bool, kind: str, name: str, changed: Iterable[str]) -> Change:
        """Of an object that was saved."""
        if created:
            return cls("created", kind, name)
        settings = tuple(changed)
        return cls("changed" if settings else "unchanged", kind, name, settings)


@dataclass(slots=True)
class Task:
    """One run of `apply`: who does it, what the file says, and what is wrong with it so far."""

    actor: Actor
    document: Document
    # Whether objects that the file does not have are removed from its sections.
    prune: bool
    problems: list[str]

    def wrong(self, place: Place, text: str) -> None:
        """Notes what is wrong, at its place in the file."""
        self.problems.append(problem(place, text))

    def invalid(self, place: Place, error: ValidationError) -> None:
        """Notes everything that a model's validation found wrong."""
        said = set()
        for field, messages in error.message_dict.items():
            where = place if field == NON_FIELD_ERRORS else (*place, field)
            for message in messages:
                # The same may be found wrong in a field and in the whole.
                if message not in said:
                    self.wrong(where, message)
                said.add(message)

    def leaves(self, section: str) -> bool:
        """Whether objects of a section that the file does not name stay."""
        return not self.prune or self.document.items[section] is None


class Section(ABC):
    """One section of the file; the order of sections is that of `sections.ALL`."""

    # Its key in the file, the form of its items, and whether it is one item instead of a list.
    name: ClassVar[str]
    form: ClassVar[type[Item]]
    is_single: ClassVar[bool] = False

    @abstractmethod
    def apply(self, task: Task, place: Place, item: Any) -> Iterator[Change]:
        """Makes the database agree with one item, of the form above; notes what is wrong."""

    def finish(self, task: Task) -> Iterator[Change]:
        """Removes what the file does not have; called for sections of the file, without problems.

        Sections are finished from the last to the first: what uses others goes before them.
        """
        yield from ()

    @abstractmethod
    def export(self, secrets: bool) -> Iterator[Item]:
        """The present objects as items, with their secrets if these are asked for."""
