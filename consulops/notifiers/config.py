"""Checks the settings of a notifier and parts them into what may be shown and what may not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from consulops.notifiers.base import Kind
from consulops.notifiers.registry import kinds


class ConfigError(Exception):
    """Settings that cannot be used: messages by field."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(said)}" for name, said in errors.items()))
        self.errors = dict(errors)


def from_config(
    kind: str, config: Mapping[str, Any], kept: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings and the secrets of a notifier, cleaned; raises ConfigError.

    A secret that `config` leaves out is taken from `kept`, the secrets stored before; any other
    setting left out gets its default.
    """
    known = kinds().get(kind)
    if known is None:
        raise ConfigError({"kind": [f"There is no kind {kind}; there are {', '.join(kinds())}."]})
    return cleaned(known, config, kept)


def cleaned(
    known: type[Kind], config: Mapping[str, Any], kept: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same for a kind that is at hand; raises ConfigError."""
    errors = {name: ["There is no such setting."] for name in config if name not in known.fields}
    given = {**{name: (kept or {}).get(name) for name in known.secret_fields}, **_present(config)}
    values: dict[str, Any] = {}
    for name, one in known.fields.items():
        try:
            values[name] = _clean(one, given.get(name))
        except ValidationError as error:
            errors[name] = error.messages
    errors = errors or known.problems(values)
    if errors:
        raise ConfigError(errors)
    return part(known, values)


def part(kind: type[Kind], values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Cleaned values as settings and secrets; an empty secret is none."""
    config = {name: value for name, value in values.items() if name not in kind.secret_fields}
    secrets = {
        name: value for name, value in values.items() if name in kind.secret_fields and value
    }
    return config, secrets


def _present(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value is not None and value != ""}


def _clean(one: forms.Field, value: Any) -> Any:
    if value is None:
        value = one.initial
    elif isinstance(one, forms.BooleanField):
        if not isinstance(value, bool):
            raise ValidationError("This must be true or false.")
    elif isinstance(value, Mapping | list) and not getattr(one, "takes_collections", False):
        raise ValidationError("This must be a single value.")
    return one.clean(value)
