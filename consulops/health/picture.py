"""What we know of a cluster's checks, and what a listing from Consul says that is news."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from consulops.core.status import Status
from consulops.health.observation import Key, Observation, index_of, key_of, observe


class Known(NamedTuple):
    """The last thing seen of one check."""

    modify_index: int
    status: str


class Picture:
    """The checks of one cluster by key. Reads and writes nothing but itself.

    Listings come from several blocking queries that may answer in any order and from followers
    that lag, so an entry counts only when its ModifyIndex is above the one we know. After the
    cluster's indexes went back (a restore, a rebuilt cluster) order means nothing: then
    `in_order=False` takes every entry that differs.
    """

    def __init__(self, known: Mapping[Key, Known]) -> None:
        self._known: dict[Key, Known] = {}
        # The same by state, so that a short listing is compared without a walk over all checks.
        self._keys: defaultdict[str, set[Key]] = defaultdict(set)
        for key, item in known.items():
            self._put(key, item)

    def __len__(self) -> int:
        return len(self._known) - len(self._keys[Status.GONE])

    def news(
        self, listing: Iterable[Mapping[str, Any]], *, in_order: bool = True
    ) -> list[Observation]:
        """The entries that change what we know. Raises BadEntry."""
        return [
            observe(entry)
            for entry in listing
            if self._differs(self._known.get(key_of(entry)), index_of(entry), in_order)
        ]

    def absent(self, listing: Iterable[Mapping[str, Any]]) -> set[Key]:
        """The living checks that a complete listing does not mention."""
        present = {key_of(entry) for entry in listing}
        return self._known.keys() - self._keys[Status.GONE] - present

    def left(self, status: Status, listing: Iterable[Mapping[str, Any]]) -> set[Key]:
        """The checks that we know in this state and that a listing of the state lacks."""
        return self._keys[status] - {key_of(entry) for entry in listing}

    def is_gone(self, key: Key) -> bool:
        """Whether this check was there once and is no more."""
        return key in self._keys[Status.GONE]

    def learn(self, observations: Iterable[Observation]) -> None:
        """From now on these are known."""
        for seen in observations:
            self._put(seen.key, Known(seen.modify_index, seen.status))

    def forget(self, keys: Iterable[Key]) -> None:
        """From now on these are gone; their index stays, so that a late answer revives none."""
        for key in keys:
            self._put(key, Known(self._known[key].modify_index, Status.GONE))

    def _put(self, key: Key, item: Known) -> None:
        if (before := self._known.get(key)) is not None:
            self._keys[before.status].discard(key)
        self._known[key] = item
        self._keys[item.status].add(key)

    @staticmethod
    def _differs(known: Known | None, index: int, in_order: bool) -> bool:
        if known is None or index > known.modify_index:
            return True
        return not in_order and (index != known.modify_index or known.status == Status.GONE)
