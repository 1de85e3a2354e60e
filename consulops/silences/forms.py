"""The form of a silence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from consulops.core.window_forms import WindowsField
from consulops.health.matcher_forms import PREFIX, MatcherFields
from consulops.health.matching import compile_match
from consulops.silences import guards
from consulops.silences.guards import LONGEST_COMMENT, BadSilence, Wanted
from consulops.silences.models import Silence

SPANS = {
    "1h": ("1 hour", timedelta(hours=1)),
    "4h": ("4 hours", timedelta(hours=4)),
    "1d": ("1 day", timedelta(days=1)),
    "1w": ("1 week", timedelta(weeks=1)),
}
_UNTIL, _ENDLESS = "until", "endless"
_WHEN = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 1}, format="%Y-%m-%dT%H:%M:%S")


class SilenceForm(MatcherFields, forms.Form):
    """A new silence, or the settings of one; each matcher has a field of its own."""

    everything = forms.BooleanField(
        label="Silence everything",
        required=False,
        help_text="Needed when no name is given: nobody is then told of any failure.",
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
        self.add_matchers(self.begun_with)
        lasts = {name: label for name, (label, _) in SPANS.items()}
        lasts[_UNTIL] = "Until the end below"
        if may_be_endless:
            lasts[_ENDLESS] = "Without end"
        self.fields["lasts"] = forms.ChoiceField(
            label="Lasts", choices=list(lasts.items()), widget=forms.RadioSelect, initial="1h"
        )
        if silence:
            self._fill(silence)

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

    def clean(self) -> dict[str, Any]:
        """Asks what a silence must be, and puts what is wrong beside its field."""
        super().clean()
        if self.errors:
            # The rest is said at once as well, as far as it does not rest on what is wrong.
            self.try_matchers()
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
            return PREFIX + rest.partition(".")[0].partition("[")[0] if rest else "everything"
        if first == "ends_at" and self.cleaned_data.get("lasts") != _UNTIL:
            return "lasts"
        return first.partition("[")[0]

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
