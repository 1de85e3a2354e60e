"""The form of the watchdog's settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.html import format_html

from consulops.watchdog.models import Watchdog, validate_url
from consulops.watchdog.services import SETTINGS

_SECONDS = "In seconds."


class WatchdogForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """When our own troubles are alerts, and whom we ping; an empty address keeps the one saved."""

    heartbeat_url = forms.CharField(
        label="Address to ping",
        required=False,
        max_length=1000,
        validators=[validate_url],
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "mono"}),
        help_text="Of a check at Healthchecks or the like, which tells people when the pings "
        "stop. Whoever knows it can ping it: kept encrypted, never shown.",
    )
    clear_heartbeat_url = forms.BooleanField(
        label="Remove the address that is kept", required=False
    )

    class Meta:
        model = Watchdog
        fields = (
            *("unreachable_after_s", "delivery_after_s"),
            *("heartbeat_every_s", "heartbeat_tells_failure"),
        )
        labels = {
            "unreachable_after_s": "A cluster is unreachable after",
            "delivery_after_s": "Delivery fails after",
            "heartbeat_every_s": "Ping every",
            "heartbeat_tells_failure": "Tell the address + “/fail” what is wrong",
        }
        help_texts = {
            "unreachable_after_s": f"{_SECONDS} So long may it not answer, or our watcher of it be "
            "behind, before that is an alert.",
            "delivery_after_s": f"{_SECONDS} So long may a notifier's oldest message wait.",
            "heartbeat_every_s": _SECONDS,
            "heartbeat_tells_failure": "As a POST with the reason, which Healthchecks takes. "
            "Without it there is only silence, which every such service understands.",
        }

    field_order = (
        *("unreachable_after_s", "delivery_after_s", "heartbeat_url", "clear_heartbeat_url"),
        *("heartbeat_every_s", "heartbeat_tells_failure"),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if (set_at := self.instance.heartbeat_set_at) is None:
            del self.fields["clear_heartbeat_url"]
        else:
            self.fields["heartbeat_url"].help_text = format_html(
                "<b>Set on {}.</b> Leave empty to keep it.", f"{set_at:%Y-%m-%d %H:%M} UTC"
            )

    def values(self) -> dict[str, Any]:
        """The settings to save; the address only when it was entered or is to be removed."""
        values = {name: self.cleaned_data[name] for name in SETTINGS if name in self.Meta.fields}
        if self.cleaned_data.get("clear_heartbeat_url"):
            values["heartbeat_url"] = ""
        elif self.cleaned_data["heartbeat_url"]:
            values["heartbeat_url"] = self.cleaned_data["heartbeat_url"]
        return values
