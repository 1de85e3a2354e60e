"""The notifiers of an import, and what each profile of consul-alerts stands for. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from consulops.api.consul_alerts import findings, names
from consulops.api.consul_alerts.config import DEFAULT_PROFILE, Config, Profile
from consulops.api.consul_alerts.findings import Finding
from consulops.api.consul_alerts.parsing import BadValue, boolean
from consulops.api.consul_alerts.routing import Offer
from consulops.api.consul_alerts.translation import ENDED, SHAPES, Work, translate
from consulops.notifiers import executables, samples
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.registry import kinds
from consulops.notifiers.wording import Wording

# It is on until it is switched off.
_ON_BY_DEFAULT = "log"


@dataclass(frozen=True, slots=True)
class PlannedNotifier:
    """A notifier to be made; its settings are checked already."""

    name: str
    kind: str
    config: Mapping[str, Any]
    secrets: Mapping[str, Any] = field(repr=False)
    enabled: bool
    body_template: str = ""


@dataclass(slots=True)
class Destinations:
    """Notifiers by the names that profiles call them, and those that a profile alters."""

    cluster: str
    config: Config
    notifiers: dict[str, PlannedNotifier] = field(default_factory=dict)
    altered: dict[tuple[str, str], PlannedNotifier] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @classmethod
    def of(cls, config: Config, cluster: str) -> Destinations:
        """Everything that this configuration tells people by."""
        made = cls(cluster, config)
        settings = {_ON_BY_DEFAULT: {}, **config.notifiers}
        for name, values in settings.items():
            made._add(name, values)
        for name, path in config.custom.items():
            made._add_custom(name, path)
        for name, profile in config.profiles.items():
            for notifier, changes in profile.overrides.items():
                made._alter(name, profile, notifier, changes)
        return made

    def all(self) -> list[PlannedNotifier]:
        """Every notifier to be made."""
        return [*self.notifiers.values(), *self.altered.values()]

    def offer(self, name: str) -> Offer:
        """Whom a profile tells. One that is not there tells everybody, as in consul-alerts."""
        profile = self.config.profiles.get(name)
        if profile is None:
            return Offer("", tuple(one.name for one in self.notifiers.values()))
        # An empty list is no list: then all are told, and without what the profile alters.
        if not profile.notifiers:
            told = [one.name for one in self.notifiers.values()]
        else:
            told = [
                self.altered.get((name, notifier), self.notifiers[notifier]).name
                for notifier, wanted in profile.notifiers.items()
                if wanted and notifier in self.notifiers
            ]
        return Offer(name, tuple(told), profile.interval_min * 60)

    def check_profiles(self) -> None:
        """Says what is odd about profiles and their selection."""
        for profile in self.config.profiles.values():
            for notifier, wanted in profile.notifiers.items():
                if wanted and notifier not in self.notifiers:
                    text = f"It tells “{notifier}”, which is not configured or not carried over."
                    self.findings.append(findings.lost(profile.key, text))
            if profile.notifiers and not any(profile.notifiers.values()):
                text = "It names only notifiers that are not told: its checks are told to nobody."
                self.findings.append(findings.note(profile.key, text))
            if not profile.notifiers:
                text = "It names no notifier, so it tells all of them."
                self.findings.append(findings.note(profile.key, text))
        for one in self.config.selections:
            if one.profile not in self.config.profiles and one.profile != DEFAULT_PROFILE:
                text = f"There is no profile “{one.profile}”: all notifiers are told."
                self.findings.append(findings.note(one.names.key, text))

    def _add(self, name: str, values: Mapping[str, str]) -> None:
        work = Work(f"notifiers/{name}", values)
        enabled = name == _ON_BY_DEFAULT
        try:
            enabled = boolean(values["enabled"]) if values.get("enabled") else enabled
        except BadValue as error:
            work.findings.append(findings.lost(work.key_of("enabled"), str(error)))
        made = self._checked(name, work, names.named(self.cluster, name), enabled)
        self.findings += work.findings
        if made is not None:
            self.notifiers[name] = made

    def _add_custom(self, name: str, path: str) -> None:
        key = f"notifiers/custom/{name}"
        program = PurePosixPath(path).name
        try:
            executables.path_of(program)
            given = {"executable": program, "format": "consul-alerts"}
            config, secrets = from_config("custom", given)
        except (executables.NotAllowed, ConfigError) as error:
            self.findings.append(findings.lost(key, f"{error} Put {path} there and import again."))
            return
        if name in self.notifiers:
            text = "It has the name of a built-in notifier; profiles could not tell them apart."
            self.findings.append(findings.lost(key, text))
            return
        full = names.named(self.cluster, name)
        self.notifiers[name] = PlannedNotifier(full, "custom", config, secrets, True)
        text = f"The program {program} of the allowed folder is run instead of {path}."
        self.findings.append(findings.changed(key, text))

    def _alter(
        self, profile_name: str, profile: Profile, name: str, changes: Mapping[str, Any]
    ) -> None:
        base = self.notifiers.get(name)
        key = f"{profile.key} VarOverrides.{name}"
        if name not in SHAPES or base is None:
            text = "There is no such notifier, or not one whose settings can be altered."
            self.findings.append(findings.lost(key, text))
            return
        if not profile.notifiers.get(name):
            return  # nobody is told by it, altered or not
        values = {**self.config.notifiers.get(name, {}), **_as_settings(changes)}
        work = Work(key, values)
        full = names.named(self.cluster, name, f"({profile_name})")
        made = self._checked(name, work, full, base.enabled)
        # What is to be said of the settings that are not altered was said already.
        altered = _as_settings(changes)
        self.findings += [one for one in work.findings if one.key.split("/")[-1] in altered]
        if made is None:
            text = "The altered notifier cannot be made; the notifier itself is told."
            self.findings.append(findings.lost(key, text))
        else:
            self.altered[profile_name, name] = made

    def _checked(self, name: str, work: Work, full: str, enabled: bool) -> PlannedNotifier | None:
        shape = translate(name, work)
        if shape is None:
            return None
        checked = _settle(shape.kind, work)
        if checked is None:
            return None
        config, secrets = checked
        body = _tried(shape.kind, work, config)
        is_on = enabled and name not in ENDED
        return PlannedNotifier(full, shape.kind, config, secrets, is_on, body)


def _settle(kind: str, work: Work) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The checked settings; what is not needed and wrong is left out. None when they cannot be."""
    given = dict(work.config)
    while True:
        try:
            return from_config(kind, given)
        except ConfigError as error:
            wrong = [name for name in error.errors if name in given]
            needed = kinds()[kind].fields if kind in kinds() else {}
            for name, said in error.errors.items():
                key = work.key_of(work.origins[name]) if name in work.origins else work.key
                work.findings.append(findings.lost(key, f"{name}: {' '.join(said)}"))
            droppable = [n for n in wrong if n not in needed or not needed[n].required]
            if len(droppable) != len(error.errors):
                work.findings.append(findings.lost(work.key, "The notifier cannot be made."))
                return None
            for name in droppable:
                del given[name]


def _tried(kind: str, work: Work, config: Mapping[str, Any]) -> str:
    """The template of the body, if it works on every sample of a message; else none."""
    wrong = samples.problems(kinds()[kind], config, Wording(body=work.body_template))
    for said in wrong.values():
        text = f"The template is left out, the default body is sent: {' '.join(said)}"
        work.findings.append(findings.lost(work.key_of("payload"), text))
    return "" if wrong else work.body_template


def _as_settings(changes: Mapping[str, Any]) -> dict[str, str]:
    """What a profile alters, as its keys would have it; an empty value alters nothing."""
    found: dict[str, str] = {}
    for name, value in changes.items():
        if not value or name.lower() == "enabled":
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        found[name.lower().replace("_", "-")] = text
    return found
