"""The fields in which people enter matchers; routes, silences and rules have the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django import forms

from consulops.core.status import FAILING
from consulops.health.matching import (
    LONGEST_PATTERN,
    METAS,
    PATTERNS,
    STATUSES,
    BadMatch,
    compile_match,
)

PREFIX = "match_"
STATUS = f"{PREFIX}status"
# Those that most people need; the others are folded away until one is used.
COMMON = ("cluster", "service", "service_id", "node", "check")
_HELP = {
    "cluster": "<code>dc1|dc2</code>",
    "service": "<code>web-.*</code>; checks of a node itself have none, which <code>.*</code> "
    "matches too.",
    "service_id": "The id of one instance: <code>web-1</code>",
    "node": "<code>db-[0-9]+</code>",
    "check": "The check's id: <code>serfHealth</code>",
    "name": "The check's name",
    "tag": "One of the service's tags has to agree.",
    "output": "What the check says: <code>.*timeout.*</code>",
}
_META_HELP = "One in a line, as <code>key: expression</code>; all have to agree."
_MONO = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}


class PairsField(forms.CharField):
    """Lines `key: expression`; cleaned to a dict."""

    widget = forms.Textarea

    def clean(self, value: Any) -> Any:
        return _pairs(super().clean(value))

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return "\n".join(f"{key}: {one}" for key, one in value.items())
        return value


class MatcherFields(forms.BaseForm):
    """A form, or a part of one, with a field for each matcher."""

    def add_matchers(
        self, match: Mapping[str, Any], names: Collection[str] = (*PATTERNS, *METAS, "status")
    ) -> None:
        """Adds fields of these names, filled with the matchers; called when the form is made."""
        self._names = [name for name in (*PATTERNS, *METAS) if name in names]
        for name in self._names:
            if name in METAS:
                self.fields[PREFIX + name] = _meta_field(name)
            else:
                self.fields[PREFIX + name] = _pattern_field(name)
            self.initial[PREFIX + name] = match.get(name, "")
        # Both statuses mean the same as none; what was written stays as it was written.
        self.names_status = "status" in match
        if "status" in names:
            self.fields[STATUS] = forms.MultipleChoiceField(
                label="Status",
                choices=[(status.value, status.label) for status in FAILING],
                widget=forms.CheckboxSelectMultiple,
                error_messages={"required": "Tick at least one."},
            )
            self.initial[STATUS] = match.get("status") or list(STATUSES)

    def try_matchers(self) -> None:
        """Puts what is wrong with the matchers beside its field."""
        try:
            compile_match(self.match())
        except BadMatch as error:
            self.refuse_matcher(error)

    def refuse_matcher(self, error: BadMatch) -> None:
        """Puts this beside its field."""
        name = error.path.partition("[")[0].partition(".")[0]
        self.add_error(PREFIX + name, f"{error.text[:1].upper()}{error.text[1:]}.")

    def match(self) -> dict[str, Any]:
        """The matchers, as they are stored; those that mean everything are left out."""
        found = {
            name: self.cleaned_data[PREFIX + name]
            for name in self._names
            if self.cleaned_data.get(PREFIX + name)
        }
        if STATUS not in self.cleaned_data:
            return found
        chosen = [one for one in STATUSES if one in self.cleaned_data[STATUS]]
        if chosen == list(STATUSES) and not self.names_status:
            return found
        return {**found, "status": chosen}

    def wrong_matchers(self) -> list[tuple[str, str]]:
        """What keeps the matchers from being tried, as label and text."""
        return [
            (str(self[name].label), str(text))
            for name, texts in self.errors.items()
            if name.startswith(PREFIX)
            for text in texts
        ]

    def common_matchers(self) -> Iterator[forms.BoundField]:
        """The fields of the matchers that most people need."""
        return (self[PREFIX + name] for name in COMMON if name in self._names)

    def other_matchers(self) -> list[forms.BoundField]:
        """The fields of the other matchers."""
        return [self[PREFIX + name] for name in self._names if name not in COMMON]

    def uses_others(self) -> bool:
        """Whether any of the other matchers is filled in or wrong, and has to be seen."""
        return any(field.value() or field.errors for field in self.other_matchers())


def _pattern_field(name: str) -> forms.CharField:
    return forms.CharField(
        label=_label(name),
        required=False,
        max_length=LONGEST_PATTERN,
        strip=False,
        help_text=_HELP[name],
        widget=forms.TextInput(attrs=_MONO),
    )


def _meta_field(name: str) -> PairsField:
    return PairsField(
        label=_label(name),
        required=False,
        help_text=_META_HELP,
        widget=forms.Textarea(attrs={**_MONO, "rows": 2}),
    )


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, colon, pattern = (part.strip() for part in line.partition(":"))
        if not key or not colon:
            raise forms.ValidationError(f"Line {number}: write it as key: expression.")
        if key in found:
            raise forms.ValidationError(f"Line {number}: {key} stands twice.")
        found[key] = pattern
    return found
