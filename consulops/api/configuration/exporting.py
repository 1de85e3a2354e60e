"""The present configuration as a document that `apply` takes without changing anything."""

from __future__ import annotations

from typing import Any

import yaml

from consulops.api.configuration.sections import ALL


def export(*, secrets: bool) -> str:
    """The YAML of everything; defaults are left out, and so are secrets unless asked for.

    Raises WrongKey when a secret is asked for that no key opens.
    """
    data: dict[str, Any] = {}
    for section in ALL:
        rows = [
            item.model_dump(by_alias=True, exclude_defaults=True)
            for item in section.export(secrets)
        ]
        if not section.is_single:
            data[section.name] = rows
        elif rows[0]:
            data[section.name] = rows[0]
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
