"""What every kind of notifier shares: the facts of an alert, the message, its errors, the base."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

import aiohttp
from django import forms

from consulops.core import status
from consulops.notifiers.wording import PLAIN, Wording

VERSION = 1
# The headings of the kinds, in the order of the page.
GROUPS = ("Chat", "Incidents", "Mail & push", "Programmable", "Metrics")
_RESOLVED = frozenset({"passing", "gone"})
# What a title begins with when the state alone does not say why the message comes.
_PREFIXES = {
    "reminder": "Still ",
    "flapping": "Flapping: ",
    "escalated": "Not acknowledged: ",
    "test": "Test: ",
}


class SendError(Exception):
    """A message was not delivered: why, whether a retry can help, and how long to wait for it."""

    def __init__(
        self, text: str, *, permanent: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(text)
        self.text = text
        self.permanent = permanent
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """What a message says about one alert, frozen at the moment when the message was made."""

    id: int
    url: str
    check: str
    status: str
    previous: str
    node: str
    service: str
    service_id: str
    name: str
    output: str
    tags: list[str]
    since: datetime
    # Of the message; the webhook's body names it once, on top.
    cluster: str = ""

    @property
    def rank(self) -> int:
        """The place of the alert's state, 0 is the worst."""
        return status.LOOKS[status.parse(self.status)].rank

    @property
    def is_resolved(self) -> bool:
        return self.status in _RESOLVED

    @property
    def state(self) -> str:
        """The state in capitals, as a person would call it: a recovery is RESOLVED."""
        return "RESOLVED" if self.status == "passing" else (self.status or "unknown").upper()

    @property
    def subject(self) -> str:
        """What fails, where: `web on n1: HTTP`, and `n1: Disk` for a check of the node itself.

        Our own alerts have no node, and some no service either.
        """
        place = " on ".join(part for part in (self.service, self.node) if part)
        return ": ".join(part for part in (place, self.name or self.check) if part)

    def incident_key(self, longest: int = 255) -> str:
        """What an incident of this check alone is known by: `consulops/dc1/n1/web-1/web-1-http`.

        It holds cluster, node, service and check, so that the recovery of one check never closes
        the incident of another. One that is too long keeps its head and gets its hash as the tail.
        """
        parts = (self.cluster, self.node, self.service_id or "_", self.check)
        key = "/".join(("consulops", *(quote(part, safe=":@ ") for part in parts)))
        if len(key) <= longest:
            return key
        return f"{key[: longest - 33]}…{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    @property
    def title(self) -> str:
        """One line about the alert: `CRITICAL web on n1: HTTP`."""
        return f"{self.state} {self.subject}"

    def to_dict(self) -> dict[str, Any]:
        """The alert as the webhook's body has it; the order of the keys is part of the contract."""
        return {
            "id": self.id,
            "url": self.url,
            "check": self.check,
            "status": self.status,
            "previous": self.previous,
            "node": self.node,
            "service": self.service,
            "service_id": self.service_id,
            "name": self.name,
            "output": self.output,
            "tags": list(self.tags),
            "since": _to_text(self.since),
        }

    @classmethod
    def from_dict(cls, source: Mapping[str, Any], cluster: str) -> AlertFacts:
        """The facts that `to_dict` gave, and the cluster that it leaves to the message."""
        values = {**source, "since": datetime.fromisoformat(source["since"])}
        return cls(**values, cluster=cluster)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one notifier; the id is the delivery's and the same on each retry."""

    id: str
    reason: str
    cluster: str
    route: str
    alerts: tuple[AlertFacts, ...] = field(default_factory=tuple)

    def to_dict(self) -> dict[str, Any]:
        """The webhook's body; the order of the keys is part of the contract."""
        return {
            "version": VERSION,
            "id": self.id,
            "reason": self.reason,
            "cluster": self.cluster,
            "route": self.route,
            "alerts": [alert.to_dict() for alert in self.alerts],
        }

    @classmethod
    def from_dict(cls, source: Mapping[str, Any]) -> Message:
        """The message that `to_dict` gave."""
        cluster = source["cluster"]
        return cls(
            id=source["id"],
            reason=source["reason"],
            cluster=cluster,
            route=source["route"],
            alerts=tuple(AlertFacts.from_dict(alert, cluster) for alert in source["alerts"]),
        )

    def worst_first(self) -> list[AlertFacts]:
        """The alerts, worst first, each state in the order of the message."""
        return sorted(self.alerts, key=lambda alert: alert.rank)

    def title(self) -> str:
        """One line for people: the alert itself, or how many of what in which cluster."""
        if len(self.alerts) == 1:
            text = self.alerts[0].title
        else:
            text = f"{len(self.alerts)} alerts in {self.cluster}"
        return _PREFIXES.get(self.reason, "") + text

    def counts(self) -> str:
        """How many alerts are in which state, worst first: `2 critical, 1 resolved`."""
        count = Counter(alert.state.lower() for alert in self.worst_first())
        return ", ".join(f"{number} {state}" for state, number in count.items())


class Kind(ABC):
    """One way to tell people: it declares its settings, and sends a message with them."""

    # The word in the database and in `apply`, and how people call it.
    name: ClassVar[str] = ""
    label: ClassVar[str] = ""
    # Under which heading people look for it: one of GROUPS.
    group: ClassVar[str] = "Programmable"
    # The form is made of these; their cleaned values are the configuration.
    fields: ClassVar[dict[str, forms.Field]] = {}
    # Stored encrypted, never shown again, and cut out of every answer and error.
    secret_fields: ClassVar[frozenset[str]] = frozenset()
    blocking: ClassVar[bool]
    # Which parts of a message people may word themselves: "subject", "body", both or none.
    templated: ClassVar[tuple[str, ...]] = ()
    # Why the product can no longer be told: such a notifier is kept, but only switched off.
    ended: ClassVar[str] = ""
    # A template that says `kind.label` means the class and does not want one made.
    do_not_call_in_templates: ClassVar[bool] = True

    def __init__(self, config: Mapping[str, Any], wording: Wording = PLAIN) -> None:
        """Takes the cleaned settings, secrets among them, and the templates of its messages."""
        self.config = {name: config.get(name, one.initial) for name, one in self.fields.items()}
        self.wording = wording

    def subject(self, message: Message) -> str:
        """The message's title, or what the notifier's own template makes of the message."""
        return self.wording.subject_of(message, message.title())

    def body(self, message: Message, default: str) -> str:
        """What the notifier's own template makes of the message; without one the default."""
        return self.wording.body_of(message, default)

    @classmethod
    def body_problem(cls, config: Mapping[str, Any], body: str) -> str:
        """Why this rendered body cannot be sent with these settings, in one sentence, or nothing.

        It is asked when a template is saved, and may be asked again when a message goes out.
        """
        return ""

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        """What is wrong with settings that are right each on its own: messages by field."""
        return {}


class AsyncKind(Kind):
    """A kind that waits without a thread."""

    blocking = False

    @abstractmethod
    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        """Delivers the message and returns the receiver's answer. Raises SendError or OSError."""


class BlockingKind(Kind):
    """A kind whose library blocks: it is run in a thread of a bounded pool."""

    blocking = True

    @abstractmethod
    def send(self, message: Message, timeout_s: float) -> str:
        """Delivers the message and returns the receiver's answer. Raises SendError or OSError."""


def _to_text(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
