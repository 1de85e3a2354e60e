"""The forms of a route, of noise, of a rehearsal, and of an acknowledgement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms

from consulops.alerts.models import Noise, Route
from consulops.core.status import FAILING
from consulops.core.window_forms import WindowsField
from consulops.health.matcher_forms import MatcherFields
from consulops.notifiers.models import Notifier

_GROUPS = ("cluster", "service", "node", "check")
_SECONDS = "In seconds: 60 is a minute, 3600 an hour."
# Longer than a year is a slip of the hand.
_LONGEST_S = 366 * 86400
_TOLD = ("notifiers", "escalate_to")


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


class RouteForm(MatcherFields, forms.ModelForm):  # type: ignore[type-arg]  # not at run time
    """A new route, or the settings of one; each matcher has a field of its own."""

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
    escalate_to = forms.ModelMultipleChoiceField(
        label="Those who come next",
        required=False,
        queryset=Notifier.objects.all(),
        widget=forms.CheckboxSelectMultiple,
        help_text="Told when nobody has acknowledged in time; from then on they also get reminders "
        "and the end.",
    )
    active_hours = WindowsField(
        label="Active hours",
        required=False,
        help_text="Outside them it tells nothing; what still fails when they begin is told then. "
        "Without any it always tells. An end at or before its begin is on the next day.",
    )

    class Meta:
        model = Route
        fields = (
            *("name", "enabled", "wait_s", "remind_every_s", "active_hours"),
            *("group_by", "group_wait_s", "group_interval_s", "escalate_after_s", "escalate_to"),
            *("notify_resolved", "continues", "notifiers"),
        )
        labels = {
            "enabled": "Use this route",
            "wait_s": "Wait before telling",
            "remind_every_s": "Remind every",
            "group_wait_s": "Wait for others of the group",
            "group_interval_s": "Tell a group again at most every",
            "escalate_after_s": "Escalate after",
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
            "group_interval_s": f"What joins a group that was told waits so long. {_SECONDS}",
            "escalate_after_s": "When nobody has acknowledged for so long after the first message. "
            f"{_SECONDS} 0 never escalates.",
            "notify_resolved": "To those who were told that it began.",
            "continues": "Without it, what this route takes is not shown to those below.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.add_matchers(self.instance.match)
        for name in self.Meta.fields:
            if name.endswith("_s"):
                self.fields[name] = _seconds(self.fields[name])

    def clean(self) -> dict[str, Any]:
        """Tries the matchers, and puts what is wrong beside its field."""
        super().clean()
        self.try_matchers()
        asked = self.cleaned_data
        if asked.get("escalate_after_s") and not asked.get("escalate_to"):
            self.add_error("escalate_to", "Tick whom to tell, or set the time above to 0.")
        if asked.get("escalate_to") and not asked.get("escalate_after_s"):
            self.add_error("escalate_after_s", "Say after how long they are told.")
        return asked

    def values(self) -> dict[str, Any]:
        """The settings to save, but for the name and whom it tells."""
        names = (name for name in self.Meta.fields if name not in ("name", *_TOLD))
        return {**{name: self.cleaned_data[name] for name in names}, "match": self.match()}

    def timing_fields(self) -> Iterator[forms.BoundField]:
        """When it tells, and how often."""
        return (self[name] for name in ("wait_s", "remind_every_s", "notify_resolved"))

    def group_fields(self) -> Iterator[forms.BoundField]:
        """How a group is told."""
        return (self[name] for name in ("group_wait_s", "group_interval_s"))


class NoiseForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """What keeps many failures from becoming many messages."""

    class Meta:
        model = Noise
        fields = (
            *("inhibit_by_node", "inhibit_by_cluster"),
            *("flap_changes", "flap_window_s", "flap_rest_s"),
        )
        labels = {
            "inhibit_by_node": "A node that is down speaks for what runs on it",
            "inhibit_by_cluster": "A cluster that cannot be reached speaks for all that is in it",
            "flap_changes": "A check flaps when it changes so often",
            "flap_window_s": "Within",
            "flap_rest_s": "It is stable after a rest of",
        }
        help_texts = {
            "inhibit_by_node": "While its own check fails and somebody is told of that.",
            "inhibit_by_cluster": "While that is an alert of which somebody is told.",
            "flap_changes": "It is told once that it flaps, and then not until it is stable. "
            "0: flapping is not looked for.",
            "flap_window_s": _SECONDS,
            "flap_rest_s": f"Then its end is told, or the state it came to rest in. {_SECONDS}",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["flap_changes"].widget.attrs["max"] = 1000
        for name in ("flap_window_s", "flap_rest_s"):
            self.fields[name] = _seconds(self.fields[name], least=1)


class RehearsalForm(forms.Form):
    """Which check, and the status that it would have."""

    check = forms.IntegerField(min_value=1, max_value=2**63 - 1)
    status = forms.ChoiceField(
        choices=[(status.value, status.label) for status in FAILING], required=False
    )


def _seconds(field: forms.Field, least: int = 0) -> forms.IntegerField:
    """The same field as a span of time."""
    return forms.IntegerField(
        label=field.label,
        help_text=field.help_text,
        initial=0,
        min_value=least,
        max_value=_LONGEST_S,
    )
