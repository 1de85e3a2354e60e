"""What the kinds share that keep one incident per check: open while it fails, closed afterwards."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import aiohttp
from django import forms
from django.core.validators import RegexValidator

from consulops.notifiers import tls
from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AlertFacts, AsyncKind, Kind, Message, SendError
from consulops.notifiers.fields import CertificateField, WebAddressField
from consulops.notifiers.http import Answer, ask
from consulops.notifiers.sending import plain_errors
from consulops.notifiers.wording import PLAIN, Wording

# Requests of one message that are under way at a time.
_AT_ONCE = 8
# The part of the notifier's timeout that the requests of one message may take together: the rest
# is for telling how many went through.
_SHARE = 0.9
# Messages of which a part went through, and that are remembered for their next attempt.
_MOST_REMEMBERED = 100
_LONGEST_FACT = 500
_SEVERITIES = {"critical": "critical", "unknown": "error", "maintenance": "info"}


class SecretKeyField(forms.CharField):
    """A key that a product gave out: it goes into an address, a header or a body as it is."""

    default_validators = [
        RegexValidator(r"\A[A-Za-z0-9._~=-]+\Z", "This has characters that no key has.")
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 500, **options})


class ListField(forms.CharField):
    """Texts, one a line; cleaned to a list."""

    widget = forms.Textarea
    # In a file of settings it may also be a list.
    takes_collections = True

    def to_python(self, value: Any) -> Any:
        lines = value if isinstance(value, list) else str(value or "").splitlines()
        return list(dict.fromkeys(text for line in lines if (text := str(line).strip())))

    def run_validators(self, value: Any) -> None:
        """Those of a text do not apply to a list."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


def tls_fields() -> dict[str, forms.Field]:
    """The settings of a kind whose address may be one's own."""
    return {
        "verify_tls": forms.BooleanField(
            label="Verify the server's certificate", required=False, initial=True
        ),
        "ca_certificate": CertificateField(
            label="CA certificate",
            required=False,
            help_text="PEM; for a server whose authority this machine does not know.",
        ),
    }


def address_fields() -> dict[str, forms.Field]:
    """An address of one's own instead of the product's, a proxy for example."""
    return {
        "url": WebAddressField(
            label="Other address",
            required=False,
            max_length=2000,
            help_text="Only if the requests must go elsewhere, through a proxy for example.",
        ),
        **tls_fields(),
    }


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the product, its body as JSON."""

    url: str
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class IncidentKind(AsyncKind):
    """Keeps one incident per check, known by a key that holds cluster, node, service and check.

    Only a check that passes or is gone closes its incident, a warning never does.
    """

    templated = ("subject", "body")
    # How many characters the product takes as a key.
    longest_key: ClassVar[int] = 255

    def __init__(self, config: Mapping[str, Any], wording: Wording = PLAIN) -> None:
        super().__init__(config, wording)
        # By message the alerts that went through when others did not: the next attempt goes on
        # from there, or a large group could never get past what a product takes per minute.
        self._taken: dict[str, set[int]] = {}

    @abstractmethod
    def opening(self, message: Message, alert: AlertFacts) -> list[Call]:
        """The requests that open the incident of the message's one alert, or update it."""

    @abstractmethod
    def closing(self, message: Message, alert: AlertFacts) -> list[Call]:
        """The requests that close it."""

    def key(self, message: Message, alert: AlertFacts) -> str:
        """What the incident is known by. A test has one of its own, so that it closes no other."""
        return keyed(message, alert).incident_key(self.longest_key)

    async def send(self, http: aiohttp.ClientSession, message: Message, timeout_s: float) -> str:
        count = len(message.alerts)
        if count == 1:
            return await self._tell(http, message)
        taken = self._taken.pop(message.id, set())
        left = [alert for alert in message.worst_first() if alert.id not in taken]
        requests = [self._tell(http, about(message, alert)) for alert in left]
        outcomes = await side_by_side(self, requests, timeout_s)
        errors = [outcome for outcome in outcomes if isinstance(outcome, SendError)]
        if errors:
            pairs = zip(left, outcomes, strict=True)
            done = {alert.id for alert, outcome in pairs if isinstance(outcome, str)}
            self._remember(message, taken | done)
            raise combined(errors, f"{count - len(errors)} of {count} incidents went through")
        return f"{count} incidents: {outcomes[0]}"

    def _remember(self, message: Message, taken: set[int]) -> None:
        self._taken[message.id] = taken
        if len(self._taken) > _MOST_REMEMBERED:
            del self._taken[next(iter(self._taken))]

    async def _tell(self, http: aiohttp.ClientSession, message: Message) -> str:
        """Makes the requests about the message's one alert, and returns the first answer."""
        alert = message.alerts[0]
        if message.reason == "test":
            # Whatever it opens it closes, so that a test leaves nothing behind.
            calls = [*self.opening(message, alert), *self.closing(message, alert)]
        else:
            calls = (self.closing if closes(message, alert) else self.opening)(message, alert)
        answers = [await self._ask(http, call) for call in calls]
        return str(answers[0])

    async def _ask(self, http: aiohttp.ClientSession, call: Call) -> Answer:
        context = tls.context(bool(self.config["verify_tls"]), self.config["ca_certificate"] or "")
        return await ask(http, call.url, headers=call.headers, json=call.body, ssl=context)


async def side_by_side(
    kind: Kind, requests: Sequence[Coroutine[Any, Any, str]], timeout_s: float
) -> list[str | SendError]:
    """What became of each of these requests: its answer or its error; none stops another."""
    limit = asyncio.Semaphore(_AT_ONCE)
    until = asyncio.get_running_loop().time() + timeout_s * _SHARE

    async def outcome(request: Coroutine[Any, Any, str]) -> str | SendError:
        try:
            with plain_errors(kind, timeout_s):
                async with asyncio.timeout_at(until), limit:
                    return await request
        except SendError as error:
            return error
        finally:
            # One whose turn never came.
            request.close()

    return await asyncio.gather(*(outcome(request) for request in requests))


def combined(errors: Sequence[SendError], done: str) -> SendError:
    """One error for several: `done` says how many went through all the same."""
    texts = list(dict.fromkeys(error.text for error in errors))
    waits = [error.retry_after_s for error in errors if error.retry_after_s is not None]
    return SendError(
        f"{done}. {' '.join(texts[:3])}",
        # The next attempt is worth it as long as it can help one of them.
        permanent=all(error.permanent for error in errors),
        retry_after_s=max(waits, default=None),
    )


def about(message: Message, alert: AlertFacts) -> Message:
    """The message as if it had this alert alone."""
    return replace(message, alerts=(alert,))


def closes(message: Message, alert: AlertFacts) -> bool:
    """Whether the alert's incident is over. One that flaps is not, even if it passes just now."""
    return alert.is_resolved and message.reason != "flapping"


def keyed(message: Message, alert: AlertFacts) -> AlertFacts:
    """The alert as it is identified: one in a test is nothing but itself."""
    if message.reason != "test":
        return alert
    return replace(alert, check=f"{alert.check} test {message.id}")


def severity(status: str) -> str:
    """critical, error, warning or info: one scale for all products."""
    return _SEVERITIES.get(status, "warning")


def is_grave(status: str) -> bool:
    """Whether a state counts as critical where a product knows only that and warning."""
    return severity(status) in {"critical", "error"}


def facts_of(alert: AlertFacts) -> dict[str, str]:
    """What is known of the alert, by name, but for its output; what is empty is left out."""
    facts = {
        "cluster": alert.cluster,
        "node": alert.node,
        "service": alert.service,
        "service_id": alert.service_id,
        "check": alert.check,
        "name": alert.name,
        "status": alert.status,
        "previous": alert.previous,
        "since": alert.since.isoformat(timespec="seconds"),
        "tags": ", ".join(alert.tags),
    }
    short = {name: one_line(text, _LONGEST_FACT) for name, text in facts.items()}
    return {name: text for name, text in short.items() if text}


def described(alert: AlertFacts) -> str:
    """The alert in plain text: its facts, where to look, and what the check said."""
    facts = [f"{name.replace('_', ' ')}: {text}" for name, text in facts_of(alert).items()]
    return "\n".join([*facts, alert.url, "", alert.output])


def one_line(text: str, longest: int) -> str:
    """The text on one line, at most so many characters as a product counts them."""
    return _cut(excerpt(text, longest), longest)


def some_lines(text: str, longest: int) -> str:
    """The text with its lines but without control characters, cut with an ellipsis."""
    lines = (excerpt(line, longest) for line in text[: longest * 2].splitlines())
    return _cut("\n".join(lines).strip("\n"), longest)


def _cut(text: str, longest: int) -> str:
    # Some products count in UTF-16, where one emoji is two.
    units = text.encode("utf-16-le")
    if len(units) <= longest * 2:
        return text
    return units[: (longest - 1) * 2].decode("utf-16-le", "ignore") + "…"
