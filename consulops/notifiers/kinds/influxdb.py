"""InfluxDB: a point per alert in line protocol, for version 1 and from version 2 on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import aiohttp
from django import forms

from consulops.notifiers import tls
from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AlertFacts, AsyncKind, Message
from consulops.notifiers.fields import WebAddressField
from consulops.notifiers.http import basic_login, exchange

_MOST_OUTPUT = 4000
_MOST_TAG = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# For graphs and thresholds: what is worse is higher, and what is no failure is below 1.
_VALUES = {"critical": 3, "unknown": 2, "warning": 1, "passing": 0, "maintenance": -1, "gone": -2}
_NEEDED = {"2": ("org", "bucket", "token"), "1": ("database",)}


class InfluxDB(AsyncKind):
    """Writes all alerts of a message at once; a retry overwrites the same points."""

    name = "influxdb"
    label = "InfluxDB"
    group = "Metrics"
    fields: ClassVar[dict[str, forms.Field]] = {
        "url": WebAddressField(
            label="Server", max_length=2000, help_text="For example http://influxdb:8086."
        ),
        "version": forms.ChoiceField(
            choices=[("2", "2.x and later: organisation, bucket, token"), ("1", "1.x: database")],
            initial="2",
        ),
        "org": forms.CharField(label="Organisation", required=False, max_length=200),
        "bucket": forms.CharField(required=False, max_length=200),
        "token": forms.CharField(required=False, max_length=500),
        "database": forms.CharField(required=False, max_length=200, help_text="Of version 1."),
        "retention_policy": forms.CharField(
            required=False, max_length=200, help_text="Of version 1; empty: the database's own."
        ),
        "username": forms.CharField(
            label="User name", required=False, max_length=200, help_text="Of version 1."
        ),
        "password": forms.CharField(required=False, max_length=500, strip=False),
        "measurement": forms.RegexField(
            r"^[^#_\\][^\\]*$",
            initial="consul-alerts",
            max_length=200,
            error_messages={"invalid": "It begins with no # or _, and has no backslash."},
        ),
        **tls.FIELDS,
    }
    secret_fields = frozenset({"token", "password"})

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        version = config["version"]
        found = {
            name: [f"Version {version} needs it."]
            for name in _NEEDED[version]
            if not config.get(name)
        }
        if version == "1" and config.get("username") and not config.get("password"):
            found["password"] = ["A user name needs a password."]
        return found

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        path, query, login = (
            self._version_2() if self.config["version"] == "2" else self._version_1()
        )
        points = "\n".join(line(self.config["measurement"], alert) for alert in message.alerts)
        return await exchange(
            http,
            self.config["url"].rstrip("/") + path,
            params={**query, "precision": "ns"},
            data=points.encode("utf-8", "replace"),
            headers={"Content-Type": "text/plain; charset=utf-8", **login},
            ssl=tls.chosen(self.config),
        )

    def _version_2(self) -> tuple[str, dict[str, str], dict[str, str]]:
        query = {"org": self.config["org"], "bucket": self.config["bucket"]}
        return "/api/v2/write", query, {"Authorization": f"Token {self.config['token']}"}

    def _version_1(self) -> tuple[str, dict[str, str], dict[str, str]]:
        query = {"db": self.config["database"]}
        if self.config["retention_policy"]:
            query["rp"] = self.config["retention_policy"]
        if not self.config["username"]:
            return "/write", query, {}
        return "/write", query, basic_login(self.config["username"], self.config["password"])


def line(measurement: str, alert: AlertFacts) -> str:
    """The alert as one line; its time is that of the change, so a retry makes no second point."""
    tags = {
        "cluster": alert.cluster,
        "node": alert.node,
        "service": alert.service,
        "service_id": alert.service_id,
        "check": alert.check,
        "status": alert.status or "unknown",
    }
    # Sorted, as the server likes it best; an empty tag is refused.
    said = {name: _tag(value) for name, value in sorted(tags.items())}
    key = ",".join(
        [
            re.sub("([, ])", r"\\\1", measurement),
            *(f"{name}={value}" for name, value in said.items() if value),
        ]
    )
    fields = {
        "alert": f"{alert.id}i",
        "name": _string(alert.name),
        "output": _string(alert.output),
        "url": _string(alert.url),
        "value": f"{_VALUES.get(alert.status, _VALUES['unknown'])}i",
    }
    values = ",".join(f"{name}={value}" for name, value in fields.items())
    # Whole microseconds: a float would round them.
    return f"{key} {values} {(alert.since - _EPOCH) // timedelta(microseconds=1)}000"


def _tag(value: str) -> str:
    # A backslash at the end would hide the separator behind it, and cannot itself be hidden.
    return re.sub("([,= ])", r"\\\1", re.sub(r"\\+$", "/", excerpt(value, _MOST_TAG)))


def _string(value: str) -> str:
    # Line protocol knows no line ends inside of a value.
    safe = excerpt(value, _MOST_OUTPUT).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe}"'
