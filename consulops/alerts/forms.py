"""The forms of a route and of an acknowledgement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms

from consulops.alerts.models import Route
from consulops.core.status import FAILING
from consulops.health.matching import PATTERNS, STATUSES, BadMatch, compile_match
from consulops.notifiers.models import Notifier

_MATCH = "match_"
_PATTERN_HELP = {
    "cluster": "Regular expression, whole match: <code>dc1|dc2</code>.",
    "service": "Regular expression, whole match: <code>web-.*</code>. Checks of a node itself have "
    "no service, which <code>.*</code> matches too.",
    "node": "Regular expression, whole match: <code>db-[0-9]+</code>.",
    "check": "Regular expression, whole match, of the check's id: <code>serfHealth</code>.",
    "tag": "Regular expression, whole match: one of the service's tags has to agree.",
    "service_id": "Regular expression, whole match, of the instance's id: <code>web-1</code>.",
    "name": "Regular expression, whole match, of the check's name.",
    "output": "Regular expression, whole match, of what the check says: <code>.*timeout.*</code>.",
}
_GROUPS = ("cluster", "service", "node", "check")
_SECONDS = "In seconds: 60 is a minute, 3600 an hour."


class AcknowledgeForm(forms.Form):
    """What somebody says when they take an alert on."""

    comment = forms.CharField(
        label="Comment",
        required=False,
        max_length=1000,
        widget=forms.TextInput(
            attrs={
                "placeholder": "What you know or do",
                "autocomplete": "off",
                # The page fetches its parts again while somebody writes.
                "hx-preserve": "true",
            }
        ),
    )


class RouteForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A new route, or the settings of one; each matcher has a field of its own."""

    match_status = forms.MultipleChoiceField(
        label="Status",
        choices=[(status.value, status.label) for status in FAILING],
        widget=forms.CheckboxSelectMultiple,
        initial=STATUSES,
        error_messages={"required": "Tick at least one."},
    )
    group_by = forms.MultipleChoiceField(
        label="One message for all alerts with the same",
        required=False,
        choices=[(name, name.capitalize()) for name in _GROUPS],
        widget=forms.CheckboxSelectMultiple,
        help_text="Without a tick each alert has a message of its own. A message is never about "
        "more than one cluster.",
    )
    notifiers = forms.ModelMultipleChoiceField(
        label="Notifiers",
        required=False,
        queryset=Notifier.objects.all(),
        widget=forms.CheckboxSelectMultiple,
        help_text="Without a tick, what the route takes is told to nobody.",
    )

    class Meta:
        model = Route
        fields = (
            *("name", "enabled", "wait_s", "remind_every_s", "group_by", "group_wait_s"),
            *("notify_resolved", "continues", "notifiers"),
        )
        labels = {
            "enabled": "Use this route",
            "wait_s": "Wait before telling",
            "remind_every_s": "Remind every",
            "group_wait_s": "Wait for others of the group",
            "notify_resolved": "Also tell when it is over",
            "continues": "Also try the routes below",
        }
        help_texts = {
            "name": "How people and messages call it.",
            "enabled": "Switched off, it is passed over.",
            "wait_s": f"A failure that is over sooner is never told. {_SECONDS} 0 tells at once.",
            "remind_every_s": "Until it is over or somebody acknowledges it. "
            f"{_SECONDS} 0 never reminds.",
            "group_wait_s": f"The first of a group waits for more to share its message. {_SECONDS}",
            "notify_resolved": "To those who were told that it began.",
            "continues": "Without it, what this route takes is not shown to those below.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        match = self.instance.match
        for name in PATTERNS:
            self.fields[_MATCH + name] = forms.CharField(
                label=name.capitalize(),
                required=False,
                max_length=500,
                strip=False,
                initial=match.get(name, ""),
                help_text=_PATTERN_HELP[name],
                widget=forms.TextInput(
                    attrs={"class": "mono", "spellcheck": "false", "autocomplete": "off"}
                ),
            )
        self.initial[f"{_MATCH}status"] = match.get("status") or list(STATUSES)
        for name in ("wait_s", "remind_every_s", "group_wait_s"):
            # Longer than a year is a slip of the hand.
            self.fields[name] = forms.IntegerField(
                label=self.fields[name].label,
                help_text=self.fields[name].help_text,
                initial=0,
                min_value=0,
                max_value=366 * 86400,
            )

    def clean(self) -> dict[str, Any]:
        """Tries the matchers, and puts what is wrong beside its field."""
        super().clean()
        try:
            compile_match(self.match())
        except BadMatch as error:
            name = error.path.partition("[")[0]
            self.add_error(_MATCH + name, error.text[:1].upper() + error.text[1:] + ".")
        return self.cleaned_data

    def match(self) -> dict[str, Any]:
        """The matchers, as routes store them; those that mean everything are left out."""
        found = {
            name: self.cleaned_data[_MATCH + name]
            for name in PATTERNS
            if self.cleaned_data.get(_MATCH + name)
        }
        chosen = [s for s in STATUSES if s in self.cleaned_data.get(f"{_MATCH}status", ())]
        if chosen != list(STATUSES) or "status" in self.instance.match:
            found["status"] = chosen
        return found

    def wrong_matchers(self) -> list[tuple[str, str]]:
        """What keeps the matchers from being tried, as label and text."""
        return [
            (str(self[name].label), str(text))
            for name, texts in self.errors.items()
            if name.startswith(_MATCH)
            for text in texts
        ]

    def values(self) -> dict[str, Any]:
        """The settings to save, but for the name and the notifiers."""
        values = {
            name: self.cleaned_data[name]
            for name in self.Meta.fields
            if name not in ("name", "notifiers")
        }
        return {**values, "match": self.match()}

    def match_fields(self) -> Iterator[forms.BoundField]:
        """The fields of the matchers that are regular expressions."""
        return (self[_MATCH + name] for name in PATTERNS)

    def timing_fields(self) -> Iterator[forms.BoundField]:
        """When it tells, and how often."""
        return (self[name] for name in ("wait_s", "remind_every_s", "notify_resolved"))
