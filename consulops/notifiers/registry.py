"""Finds the kinds of notifiers: each module in `kinds/` that holds a class with a name is one."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType, ModuleType

from consulops.core.crypto import WrongKey
from consulops.notifiers import kinds as package
from consulops.notifiers.base import GROUPS, AsyncKind, BlockingKind, Kind, SendError
from consulops.notifiers.models import Notifier
from consulops.notifiers.wording import Wording


class BadKind(Exception):
    """A class in `kinds/` cannot be used; the start must fail rather than lose its notifiers."""


@cache
def kinds() -> Mapping[str, type[Kind]]:
    """All kinds by name, in the order of their labels; frozen after the first look."""
    return collect(
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    )


def collect(modules: Iterable[ModuleType]) -> Mapping[str, type[Kind]]:
    """The kinds that these modules define. Raises BadKind for one without a name or a twin."""
    found: dict[str, type[Kind]] = {}
    for module in modules:
        for kind in _defined_in(module):
            _refuse_bad(kind, found)
            found[kind.name] = kind
    return MappingProxyType(dict(sorted(found.items(), key=lambda item: item[1].label.lower())))


def load(notifier: Notifier) -> Kind:
    """The notifier's kind, ready to send; may read the database when secrets were deferred.

    Raises a permanent SendError when the kind is unknown here or its secrets cannot be read.
    """
    kind = kinds().get(notifier.kind)
    if kind is None:
        raise SendError(
            f"This release has no notifiers of the kind {notifier.kind}.", permanent=True
        )
    try:
        wording = Wording(notifier.subject_template, notifier.body_template)
        return kind({**notifier.config, **notifier.secrets}, wording)
    except WrongKey as error:
        raise SendError(str(error), permanent=True) from None


def _defined_in(module: ModuleType) -> list[type[Kind]]:
    """The classes of this module itself: what it imports counts where it was written."""
    return [
        one
        for one in vars(module).values()
        if inspect.isclass(one)
        and issubclass(one, AsyncKind | BlockingKind)
        and not inspect.isabstract(one)
        and one.__module__ == module.__name__
    ]


def _refuse_bad(kind: type[Kind], found: Mapping[str, type[Kind]]) -> None:
    where = f"{kind.__module__}.{kind.__qualname__}"
    if not kind.name or not kind.label:
        raise BadKind(f"{where} needs a name and a label.")
    if kind.group not in GROUPS:
        raise BadKind(f"{where} is in the group {kind.group!r}, which is none of {GROUPS}.")
    if kind.name in found:
        raise BadKind(f"{where} takes the name {kind.name!r} of {found[kind.name].__module__}.")
    unknown = kind.secret_fields - kind.fields.keys()
    if unknown:
        raise BadKind(f"{where} calls secret what is no field: {', '.join(sorted(unknown))}.")
