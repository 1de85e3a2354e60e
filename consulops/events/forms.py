"""The form of a handler, and that of an event to fire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms

from consulops.clusters.models import Cluster
from consulops.events.kinds import Program
from consulops.events.matching import FIELDS, compiled
from consulops.events.models import EventHandler
from consulops.events.services import Wish
from consulops.health.matching import BadMatch
from consulops.notifiers import executables
from consulops.notifiers.base import Kind
from consulops.notifiers.forms import KindForm

_REGEX = {"class": "mono", "spellcheck": "false", "autocomplete": "off"}
_FILTERS = ("node", "service", "tag")
# So many programs that cannot be run are named.
_MANY = 3


class HandlerForm(KindForm):
    """A new handler, or the settings of one."""

    class Meta:
        model = EventHandler
        fields = ("name", "enabled", "event_pattern", "cluster_pattern", "timeout_s")
        labels = {
            "enabled": "Run it",
            "event_pattern": "Events",
            "cluster_pattern": "Clusters",
            "timeout_s": "Timeout in seconds",
        }
        help_texts = {
            "enabled": "Switched off, it gets no new events, and what waits for it is not run.",
            "event_pattern": "A regular expression that must match the whole name of an event.",
            "cluster_pattern": "The same for the name of its cluster.",
            "timeout_s": "A program that runs for longer is killed with all that it started.",
        }
        widgets = {
            "event_pattern": forms.TextInput(attrs=_REGEX),
            "cluster_pattern": forms.TextInput(attrs=_REGEX),
        }

    def __init__(self, kind: type[Kind], *args: Any, **kwargs: Any) -> None:
        super().__init__(kind, *args, **kwargs)
        if kind is Program:
            self.fields["config_program"].help_text = _programs_note()

    def clean(self) -> dict[str, Any]:
        """Compiles the patterns too."""
        cleaned = super().clean()
        patterns = {field: cleaned.get(field) for field in FIELDS.values()}
        if None in patterns.values():
            return cleaned
        try:
            compiled(EventHandler(**patterns))
        except BadMatch as error:
            self.add_error(FIELDS[error.path], f"{error.text.capitalize()}.")
        return cleaned

    def matcher_fields(self) -> Iterator[forms.BoundField]:
        """What it is for."""
        return (self[name] for name in ("event_pattern", "cluster_pattern"))

    def common_fields(self) -> Iterator[forms.BoundField]:
        """What every handler has beside that."""
        return (self[name] for name in ("timeout_s", "enabled"))


class FireForm(forms.Form):
    """An event to fire."""

    cluster = forms.ModelChoiceField(
        Cluster.objects.none(),
        to_field_name="name",
        empty_label=None,
        help_text="Read-only clusters are left out.",
    )
    name = forms.CharField(max_length=200, help_text="What handlers and agents know it by.")
    payload = forms.CharField(
        required=False,
        max_length=4000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, **_REGEX}),
        help_text="Text. Consul takes 512 bytes of name, filters and payload together, unless "
        "its agents are configured for more.",
    )
    node = forms.CharField(
        label="Only nodes",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_REGEX),
        help_text="A regular expression; agents of other nodes take no notice. One that the "
        "watched agent does not match is not listed here either.",
    )
    service = forms.CharField(
        label="Only nodes with the service",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_REGEX),
        help_text="A regular expression.",
    )
    tag = forms.CharField(
        label="Only if the service has the tag",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs=_REGEX),
        help_text="A regular expression; it needs a service.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen: Any = self.fields["cluster"]
        chosen.queryset = Cluster.objects.filter(read_only=False)

    def clean(self) -> dict[str, Any]:
        """Says what Consul would say, beside the field."""
        cleaned = super().clean() or {}
        if cleaned.get("tag") and not cleaned.get("service"):
            self.add_error("tag", "A tag is one of a service: name the service too.")
        return cleaned

    def event_fields(self) -> Iterator[forms.BoundField]:
        """The event itself."""
        return (self[name] for name in ("cluster", "name", "payload"))

    def filter_fields(self) -> Iterator[forms.BoundField]:
        """Who takes notice of it."""
        return (self[name] for name in _FILTERS)

    def has_filters(self) -> bool:
        """Whether any filter is filled in, or wrong."""
        return any(self[name].value() or self[name].errors for name in _FILTERS)

    def wish(self) -> Wish:
        """What to fire, from a valid form."""
        given = self.cleaned_data
        # Browsers send lines that end in CR LF.
        payload = given["payload"].replace("\r\n", "\n").encode()
        return Wish(given["name"], payload, given["node"], given["service"], given["tag"])


def _programs_note() -> str:
    """Where programs are looked for, and why one that lies there is not offered."""
    refused = list(executables.refused().values())
    note = f"Programs are looked for in {executables.folder()} on the machine of the worker."
    return " ".join([note, *refused[:_MANY]])
