"""Reads consul-alerts' keys. Pure: a bad value is a finding, and its default stays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from consulops.api.consul_alerts import findings
from consulops.api.consul_alerts.config import (
    LEVELS,
    Config,
    Named,
    Profile,
    Selection,
    Single,
    Threshold,
)

# Those of Go's strconv.ParseBool.
_BOOLEANS = dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True)
_BOOLEANS |= dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False)
_NUMBER = re.compile(r"[+-]?[0-9]+")
# What the database keeps.
_MOST_SECONDS = 2_147_483_647
_SPACE = " \t\n"
_THRESHOLD = "/change-threshold"
_BLACKLISTS = {"nodes": "hosts", "services": "services", "checks": "checks", "status": "status"}


class BadValue(Exception):
    """A value that cannot be read, and why."""


def parse(entries: Mapping[str, bytes]) -> Config:
    """The configuration of these keys, which stand here without their common prefix."""
    config = Config()
    for key in sorted(entries):
        if key.endswith("/") and not entries[key]:
            continue  # a folder, as Consul's pages make them
        try:
            text = entries[key].decode()
            _read(config, key, text)
        except UnicodeDecodeError:
            config.findings.append(findings.lost(key, "The value is not UTF-8 text."))
        except BadValue as error:
            config.findings.append(findings.lost(key, str(error)))
    return config


def boolean(text: str) -> bool:
    """A boolean as Go reads it. Raises BadValue."""
    try:
        return _BOOLEANS[text.strip(_SPACE)]
    except KeyError:
        raise BadValue("The value is neither true nor false.") from None


def number(text: str) -> int:
    """A whole number. Raises BadValue."""
    text = text.strip(_SPACE)
    if not _NUMBER.fullmatch(text) or len(text) > 12:
        raise BadValue("The value is not a whole number.")
    return int(text)


def strings(text: str) -> list[str]:
    """A JSON array of strings. Raises BadValue."""
    value = load(text)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadValue("The value is not a JSON array of strings.")
    return value


def load(text: str) -> Any:
    """What a JSON text stands for. Raises BadValue."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadValue(f"The value is not JSON: {error}.") from None


def _read(config: Config, key: str, text: str) -> None:
    simple = _SIMPLE.get(key)
    if simple is not None:
        simple(config, text)
        return
    for head, reader in _BELOW.items():
        if key.startswith(head):
            reader(config, key, key.removeprefix(head), text)
            return
    raise BadValue("consul-alerts has no such key.")


def _checks_enabled(config: Config, text: str) -> None:
    config.checks_enabled = boolean(text)


def _events_enabled(config: Config, text: str) -> None:
    config.events_enabled = boolean(text)


def _threshold(config: Config, text: str) -> None:
    config.threshold_s = _seconds(text)


def _handlers(config: Config, text: str) -> None:
    config.handlers = strings(text)


def _seconds(text: str) -> int:
    seconds = number(text)
    if seconds > _MOST_SECONDS:
        raise BadValue("The value is longer than 68 years.")
    # One that has passed already is no wait.
    return max(seconds, 0)


def _override(config: Config, key: str, rest: str, text: str) -> None:
    name = rest.removesuffix(_THRESHOLD)
    if name == rest or not name:
        raise BadValue("consul-alerts has no such key.")
    level = key.split("/")[1]
    seconds = _seconds(text)
    if level == "single":
        node, service, check = _three(name)
        config.thresholds.append(Threshold(key, seconds, node, service, check))
    else:
        config.thresholds.append(Threshold(key, seconds, **{level: name}))


def _three(name: str) -> tuple[str, str, str]:
    # The id of a check may hold slashes itself.
    parts = name.split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise BadValue("The key does not name a node, a service and a check.")
    return parts[0], parts[1], parts[2]


def _blacklist(config: Config, key: str, rest: str, text: str) -> None:
    sort, slash, name = rest.partition("/")
    if sort == "single" and name:
        config.blacklist.append(Single(key, *_three(name)))
    elif sort not in _BLACKLISTS:
        raise BadValue("consul-alerts has no such blacklist.")
    elif slash and name:
        config.blacklist.append(Named(key, _BLACKLISTS[sort], exact=name))
    elif not slash:
        level = _BLACKLISTS[sort]
        config.blacklist += [Named(key, level, regex=one) for one in strings(text)]


def _profile(config: Config, key: str, rest: str, text: str) -> None:
    value = load(text)
    if not isinstance(value, dict):
        raise BadValue("The value is not a JSON object.")
    # Go reads the names of settings in any case.
    fields = {name.lower(): one for name, one in value.items()}
    interval = _or(fields.get("interval"), 0)
    told = _or(fields.get("notiflist"), {})
    overrides = _or(fields.get("varoverrides"), {})
    if not isinstance(interval, int) or isinstance(interval, bool):
        raise BadValue("Interval is not a whole number of minutes.")
    if interval * 60 > _MOST_SECONDS:
        raise BadValue("Interval is longer than 68 years.")
    if not isinstance(told, dict) or not all(isinstance(one, bool) for one in told.values()):
        raise BadValue("NotifList is not an object of true and false.")
    if not isinstance(overrides, dict):
        raise BadValue("VarOverrides is not an object.")
    for name, one in list(overrides.items()):
        if one is not None and not isinstance(one, dict):
            text = f"VarOverrides.{name} is not an object of settings."
            config.findings.append(findings.lost(key, text))
    settings = {name: one for name, one in overrides.items() if isinstance(one, dict)}
    config.profiles[rest] = Profile(key, max(interval, 0), told, settings)


def _or(value: Any, default: Any) -> Any:
    # Go takes null for what is not there.
    return default if value is None else value


def _selection(config: Config, key: str, rest: str, text: str) -> None:
    level, slash, name = rest.partition("/")
    if level not in LEVELS:
        raise BadValue("consul-alerts has no such selection.")
    if slash:
        config.selections.append(Selection(Named(key, level, exact=name), text.strip(_SPACE)))
        return
    value = load(text)
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise BadValue("The value is not a JSON object of regular expressions and profiles.")
    config.selections += [
        Selection(Named(key, level, regex=regex), profile) for regex, profile in value.items()
    ]


def _notifier(config: Config, key: str, rest: str, text: str) -> None:
    name, _, setting = rest.partition("/")
    if not name or not setting:
        raise BadValue("consul-alerts has no such key.")
    if name == "custom":
        config.custom[setting] = text.strip(_SPACE)
    else:
        config.notifiers.setdefault(name, {})[setting] = text.strip(_SPACE)


_SIMPLE: dict[str, Callable[[Config, str], None]] = {
    "checks/enabled": _checks_enabled,
    "checks/change-threshold": _threshold,
    "events/enabled": _events_enabled,
    "events/handlers": _handlers,
}
# By what a key begins with.
_BELOW: dict[str, Callable[[Config, str, str, str], None]] = {
    "checks/single/": _override,
    "checks/check/": _override,
    "checks/service/": _override,
    "checks/node/": _override,
    "checks/blacklist/": _blacklist,
    "notif-profiles/": _profile,
    "notif-selection/": _selection,
    "notifiers/": _notifier,
}
