"""The form of a silence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from consulops.core.status import FAILING
from consulops.core.window_forms import WindowsField
from consulops.health.matching import (
    LONGEST_PATTERN,
    METAS,
    PATTERNS,
    STATUSES,
    BadMatch,
    compile_match,
)
from consulops.silences import guards
from consulops.silences.guards import LONGEST_COMMENT, BadSilence, Wanted
from consulops.silences.models import Silence

_MATCH = "match_"
SPANS = {
    "1h": ("1 hour", timedelta(hours=1)),
    "4h": ("4 hours", timedelta(hours=4)),
    "1d": ("1 day", timedelta(days=1)),
    "1w": ("1 week", timedelta(weeks=1)),
}
_UNTIL, _ENDLESS = "until", "endless"
_COMMON = ("cluster", "service", "service_id", "node", "check")
_PATTERN_HELP = {
    "cluster": "<code>dc1|dc2</code>",
    "service": "<code>web-.*</code>",
    "service_id": "The id of one instance: <code>web-1</code>",
    "node": "<code>db-[0-9]+</code>",
    "check": "The check's id: <code>serfHealth</code>",
    "name": "The check's name",
    "tag": "One of the service's tags has to agree.",
    "output": "What the check says: <code>.*timeout.*</code>",
}
_META_HELP = "One in a line, as <code>key: expression</code>; all have to agree."
_WHEN = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format="%Y-%m-%dT%H:%M:%S")
_MONO = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}


class SilenceForm(forms.Form):
    """A new silence, or the settings of one; each matcher has a field of its own."""

    everything = forms.BooleanField(
        label="Silence everything",
        required=False,
        help_text="Needed when no name is given: nobody is then told of any failure.",
    )
    match_status = forms.MultipleChoiceField(
        label="Status",
        choices=[(status.value, status.label) for status in FAILING],
        widget=forms.CheckboxSelectMultiple,
        initial=STATUSES,
        error_messages={"required": "Tick at least one."},
    )
    starts_at = forms.DateTimeField(
        label="Start (UTC)", required=False, widget=_WHEN, help_text="Empty: now."
    )
    ends_at = forms.DateTimeField(
        label="End (UTC)",
        required=False,
        widget=_WHEN,
        help_text="Counts when “until the end below” is chosen.",
    )
    windows = WindowsField(
        label="Only at some times of the week",
        required=False,
        help_text="Without any it holds all the time. An end at or before its begin is on the next "
        "day; the days are those on which it begins.",
    )
    comment = forms.CharField(
        label="Why",
        max_length=LONGEST_COMMENT,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For those who wonder at night, and for the record.",
        error_messages={"required": "Say why, for those who wonder at night."},
    )

    def __init__(
        self,
        *args: Any,
        may_be_endless: bool,
        silence: Silence | None = None,
        match: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """The form of a silence, or of a new one with these matchers filled in."""
        super().__init__(*args, **kwargs)
        self.may_be_endless, self.silence = may_be_endless, silence
        # The matchers that are filled in before anybody has typed.
        self.begun_with = (silence.match if silence else match) or {}
        self._add_matchers(self.begun_with)
        lasts = {name: label for name, (label, _) in SPANS.items()}
        lasts[_UNTIL] = "Until the end below"
        if may_be_endless:
            lasts[_ENDLESS] = "Without end"
        self.fields["lasts"] = forms.ChoiceField(
            label="Lasts", choices=list(lasts.items()), widget=forms.RadioSelect, initial="1h"
        )
        if silence:
            self._fill(silence)

    def _add_matchers(self, match: dict[str, Any]) -> None:
        for name in PATTERNS:
            self.fields[_MATCH + name] = forms.CharField(
                label=name.replace("_", " ").capitalize(),
                required=False,
                max_length=LONGEST_PATTERN,
                strip=False,
                initial=match.get(name, ""),
                help_text=_PATTERN_HELP[name],
                widget=forms.TextInput(attrs=_MONO),
            )
        for name in METAS:
            self.fields[_MATCH + name] = forms.CharField(
                label=name.replace("_", " ").capitalize(),
                required=False,
                initial="\n".join(f"{key}: {one}" for key, one in match.get(name, {}).items()),
                help_text=_META_HELP,
                widget=forms.Textarea(attrs={**_MONO, "rows": 2}),
            )
        self.initial[f"{_MATCH}status"] = match.get("status") or list(STATUSES)

    def _fill(self, silence: Silence) -> None:
        self.initial = {
            **self.initial,
            "starts_at": silence.starts_at,
            "lasts": _UNTIL if silence.ends_at else _ENDLESS,
            "ends_at": silence.ends_at,
            "windows": silence.windows,
            "comment": silence.comment,
            "everything": guards.means_everything(compile_match(silence.match)),
        }

    def clean_match_service_meta(self) -> dict[str, str]:
        return _pairs(self.cleaned_data["match_service_meta"])

    def clean_match_node_meta(self) -> dict[str, str]:
        return _pairs(self.cleaned_data["match_node_meta"])

    def clean(self) -> dict[str, Any]:
        """Asks what a silence must be, and puts what is wrong beside its field."""
        super().clean()
        if self.errors:
            # The rest is said at once as well, as far as it does not rest on what is wrong.
            self._try_matchers()
            return self.cleaned_data
        now = timezone.now()
        if self.cleaned_data["lasts"] == _UNTIL and not self.cleaned_data["ends_at"]:
            self.add_error("ends_at", "Say when, or choose how long it lasts.")
            return self.cleaned_data
        try:
            guards.check(self.wanted(now), now, may_be_endless=self.may_be_endless)
        except BadSilence as error:
            self.refuse(error)
        return self.cleaned_data

    def refuse(self, error: BadSilence) -> None:
        """Puts what a service or a guard has refused beside its field."""
        for path, text in error.problems:
            self.add_error(self._field_of(path), f"{text[:1].upper()}{text[1:]}.")

    def _field_of(self, path: str) -> str:
        first, _, rest = path.partition(".")
        if first == "match":
            return _MATCH + rest.partition(".")[0].partition("[")[0] if rest else "everything"
        if first == "ends_at" and self.cleaned_data.get("lasts") != _UNTIL:
            return "lasts"
        return first.partition("[")[0]

    def _try_matchers(self) -> None:
        try:
            compile_match(self.match())
        except BadMatch as error:
            self.refuse(BadSilence((f"match.{error.path}", error.text)))

    def match(self) -> dict[str, Any]:
        """The matchers, as silences store them; empty ones are left out."""
        found = {
            name: self.cleaned_data[_MATCH + name]
            for name in (*PATTERNS, *METAS)
            if self.cleaned_data.get(_MATCH + name)
        }
        chosen = [s for s in STATUSES if s in self.cleaned_data.get(f"{_MATCH}status", ())]
        return found if chosen == list(STATUSES) else {**found, "status": chosen}

    def wanted(self, now: datetime) -> Wanted:
        """The silence that a valid form asks for."""
        asked = self.cleaned_data
        starts_at = self._same_moment("starts_at") or now
        return Wanted(
            match=self.match(),
            comment=asked["comment"],
            starts_at=starts_at,
            ends_at=self._end(max(starts_at, now)),
            windows=asked["windows"],
            everything=asked["everything"],
        )

    def _end(self, start: datetime) -> datetime | None:
        lasts = self.cleaned_data["lasts"]
        if lasts in SPANS:
            return start + SPANS[lasts][1]
        return self._same_moment("ends_at") if lasts == _UNTIL else None

    def _same_moment(self, name: str) -> datetime | None:
        """The time of a field; one that was left alone keeps the fraction that a page drops."""
        given: datetime | None = self.cleaned_data[name]
        before: datetime | None = getattr(self.silence, name, None)
        return before if before and given == before.replace(microsecond=0) else given

    def wrong_matchers(self) -> list[tuple[str, str]]:
        """What keeps the matchers from being tried, as label and text."""
        return [
            (str(self[name].label), str(text))
            for name, texts in self.errors.items()
            if name.startswith(_MATCH)
            for text in texts
        ]

    def common_matchers(self) -> Iterator[forms.BoundField]:
        """The fields of the matchers that most silences need."""
        return (self[_MATCH + name] for name in _COMMON)

    def other_matchers(self) -> list[forms.BoundField]:
        """The fields of the other matchers."""
        common = {field.name for field in self.common_matchers()}
        names = (_MATCH + name for name in (*PATTERNS, *METAS))
        return [self[name] for name in names if name not in common]

    def uses_others(self) -> bool:
        """Whether any of the other matchers is filled in or wrong, and has to be seen."""
        return any(field.value() or field.errors for field in self.other_matchers())


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        key, colon, pattern = (part.strip() for part in line.partition(":"))
        if not line.strip():
            continue
        if not key or not colon:
            raise forms.ValidationError(f"Line {number}: write it as key: expression.")
        if key in found:
            raise forms.ValidationError(f"Line {number}: {key} stands twice.")
        found[key] = pattern
    return found
