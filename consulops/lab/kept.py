"""What a local cluster remembers in its folder between two starts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self

from consulops.lab.ports import Ports


@dataclass(frozen=True, slots=True)
class Kept:
    """The ports of each server and the management token (empty without ACLs)."""

    ports: list[Ports]
    token: str

    @classmethod
    def from_json(cls, text: str) -> Self:
        found = json.loads(text)
        return cls([Ports(**one) for one in found["ports"]], found["token"])

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)
