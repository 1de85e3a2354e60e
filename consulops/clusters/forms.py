"""The form of a cluster. What is valid is said in validation.py, for every road in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from consulops.clusters import validation
from consulops.clusters.models import Cluster
from consulops.clusters.services import SECRETS

# Needed to talk to Consul: a test makes sense once all of these are right.
CONNECTION = (
    "address",
    "datacenter",
    "token",
    "ca_certificate",
    "client_certificate",
    "client_key",
)


class SecretTextarea(forms.Textarea):
    """A text area that never sends back what was typed."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together, under one heading."""

    title: str
    fields: list[forms.BoundField]


_PEM = {"rows": 4, "class": "mono", "spellcheck": "false", "autocomplete": "off"}
_GROUPS = (
    ("Where it is", ("name", "address", "datacenter")),
    ("Who asks", ("token", "clear_token")),
    (
        "TLS",
        ("ca_certificate", "verify_tls", "client_certificate", "client_key", "clear_client_key"),
    ),
    ("How it is shown and used", ("colour", "read_only", "enabled")),
)


class ClusterForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """A new cluster, or the settings of one; an empty secret means: keep the one that is there."""

    token = forms.CharField(
        label="ACL token",
        required=False,
        max_length=255,
        validators=[validation.validate_token],
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "mono"}),
        help_text="The secret id of a token with node:read and service:read at least, and "
        "operator:read to know how many servers may fail. Sent as a header, kept encrypted.",
    )
    clear_token = forms.BooleanField(label="Remove the token that is kept", required=False)
    client_key = forms.CharField(
        label="Client key",
        required=False,
        validators=[validation.validate_key],
        widget=SecretTextarea(attrs=_PEM),
        help_text="The private key of the client certificate, as PEM. Kept encrypted.",
    )
    clear_client_key = forms.BooleanField(label="Remove the key that is kept", required=False)

    class Meta:
        model = Cluster
        fields = (
            "name",
            "address",
            "datacenter",
            "ca_certificate",
            "verify_tls",
            "client_certificate",
            "colour",
            "read_only",
            "enabled",
        )
        labels = {
            "ca_certificate": "CA certificate",
            "verify_tls": "Verify the server's certificate",
            "read_only": "Read only",
            "enabled": "Watch this cluster",
        }
        help_texts = {
            "name": "How people and messages call it: letters, digits, dots, dashes.",
            "address": "Of Consul's HTTP API, for example http://127.0.0.1:8500.",
            "datacenter": "Leave empty for the one that the address belongs to.",
            "ca_certificate": "As PEM. Leave empty to trust what this machine trusts.",
            "verify_tls": "Without it, whoever stands in between can read the token.",
            "client_certificate": "As PEM, when Consul asks for one (verify_incoming).",
            "colour": "The stripe under the top bar, so that nobody mistakes production.",
            "read_only": "ConsulOps never changes anything in this cluster.",
            "enabled": "Without it nothing is asked, and no alert is opened.",
        }
        widgets = {
            "address": forms.TextInput(attrs={"class": "mono", "inputmode": "url"}),
            "ca_certificate": forms.Textarea(attrs=_PEM),
            "client_certificate": forms.Textarea(attrs=_PEM),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in SECRETS:
            set_at = getattr(self.instance, f"{name}_set_at")
            if set_at is None:
                del self.fields[f"clear_{name}"]
            else:
                self.fields[name].help_text = _kept(set_at.strftime("%Y-%m-%d %H:%M UTC"))

    def clean(self) -> dict[str, Any]:
        """Takes over the secrets, which are no model fields of this form: see `__init__`."""
        for name in SECRETS:
            if self.cleaned_data.get(f"clear_{name}"):
                setattr(self.instance, name, "")
            elif self.cleaned_data.get(name):
                setattr(self.instance, name, self.cleaned_data[name])
        return self.cleaned_data

    def values(self) -> dict[str, object]:
        """The settings to save; a secret is among them only when it was entered or removed."""
        values = {name: self.cleaned_data[name] for name in self.Meta.fields}
        for name in SECRETS:
            if self.cleaned_data.get(f"clear_{name}"):
                values[name] = ""
            elif self.cleaned_data[name]:
                values[name] = self.cleaned_data[name]
        return values

    def connection_errors(self) -> list[tuple[str, str]]:
        """What keeps the connection from being tested, as label and text."""
        return [
            (str(self[name].label), str(error))
            for name in CONNECTION
            for error in self.errors.get(name, [])
        ]

    def ask_again(self) -> None:
        """Tells the person to type secrets again: a page that is shown again has lost them."""
        for name in SECRETS:
            if self.data.get(self.add_prefix(name)) and name not in self.errors:
                self.add_error(name, "Enter it again: a secret is not sent back to the page.")

    def groups(self) -> Iterator[Group]:
        """The fields in the order of the page, under their headings."""
        for title, names in _GROUPS:
            yield Group(title, [self[name] for name in names if name in self.fields])


class DeleteForm(forms.Form):
    """Asks for the cluster's name before it goes."""

    name = forms.CharField(
        label="Type the name of the cluster to delete it",
        widget=forms.TextInput(attrs={"autocomplete": "off", "class": "mono"}),
    )

    def __init__(self, cluster: Cluster, data: Any = None) -> None:
        super().__init__(data)
        self.cluster = cluster

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != self.cluster.name:
            raise forms.ValidationError(f"That is not {self.cluster.name}.")
        return name


def _kept(when: str) -> SafeString:
    return format_html("<b>Set on {}.</b> Leave empty to keep it.", when)
