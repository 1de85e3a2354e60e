"""What every item of a file has in common."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=60)]
Seconds = Annotated[int, Field(ge=0, le=2_147_483_647)]


class Item(BaseModel):
    """One object of a section, in the form of the file."""

    # Strict: a port in quotes or a name without (`on`, `2026-01-01`) is a mistake to point at.
    model_config = ConfigDict(extra="forbid", strict=True)

    # The setting that no two items of a section share; empty: there is none.
    unique: ClassVar[str] = ""


class NamedItem(Item):
    """An object that is known by its name."""

    unique = "name"

    name: Name
