"""Who was told of an alert, or why nobody was, in a few words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consulops.alerts.models import Alert, Delivery, Notice
from consulops.alerts.pipeline import Outcome

NO_ROUTE = "no route means it"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A notifier and how far the last message to it has come."""

    name: str
    state: str


# What keeps a failure from being told, by the stage that says so, in a word or two.
_QUIET = {
    "silence": "Silenced",
    "maintenance": "In maintenance",
    "inhibition": "Inhibited",
    "flapping": "Flapping",
    "wait": "Waiting",
    "hours": "Outside hours",
    "group": "Waiting",
}
# These say that there is nobody to tell, or nothing that is new: that is no quiet.
_NOT_QUIET = ("match", "recipients", "news")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Why no more is said of an open alert for now: a word, and the whole reason."""

    word: str
    reason: str


@dataclass(frozen=True, slots=True)
class Told:
    """Who got a message; or, when nobody did, why."""

    recipients: tuple[Recipient, ...] = ()
    why: str = ""
    quiet: Quiet | None = None
    # A message may still be made, after a wait.
    is_waiting: bool = False
    # Nobody will be told unless an admin changes a route.
    is_loud: bool = False


def told(notices: Sequence[Notice], recipients: Sequence[Recipient], is_open: bool) -> Told:
    """The summary of one alert, from the notices of its routes and the messages about it."""
    calm = quiet(notices) if is_open else None
    if recipients:
        return Told(tuple(recipients), quiet=calm)
    meant = [notice for notice in notices if stopped_at(notice) != "match"]
    if not meant:
        return Told(why=NO_ROUTE, is_loud=is_open)
    heard = [notice for notice in meant if stopped_at(notice) != "recipients"]
    if not heard:
        return Told(why=f"{meant[0].route_name} tells nobody", is_loud=is_open)
    silent = [notice for notice in heard if not notice.said]
    held = [notice for notice in silent if outcome(notice) == Outcome.HELD]
    if held:
        return Told(why=reason(held[0]), quiet=calm, is_waiting=True)
    if silent:
        return Told(why=reason(silent[0]))
    return Told(why=f"{meant[0].route_name} tells nobody", is_loud=is_open)


def quiet(notices: Sequence[Notice]) -> Quiet | None:
    """What holds the first of these routes back; None when none is."""
    for notice in notices:
        stage = str(notice.verdicts[-1]["stage"]) if notice.verdicts else ""
        if outcome(notice) == Outcome.HELD and stage and stage not in _NOT_QUIET:
            return Quiet(_QUIET.get(stage, stage.capitalize()), reason(notice))
    return None


def outcome(notice: Notice) -> str:
    """How the last look at the alert ended."""
    return str(notice.verdicts[-1]["outcome"]) if notice.verdicts else Outcome.HELD


def reason(notice: Notice) -> str:
    """Why it ended so."""
    return str(notice.verdicts[-1]["reason"]) if notice.verdicts else "nothing is decided yet"


def stopped_at(notice: Notice) -> str:
    """The stage that stopped it, empty when none did."""
    return str(notice.verdicts[-1]["stage"]) if outcome(notice) == Outcome.STOPPED else ""


def summaries(alerts: Sequence[Alert]) -> dict[int, Told]:
    """The summary of each of these alerts, by its key, in two queries."""
    notices: dict[int, list[Notice]] = {alert.pk: [] for alert in alerts}
    recipients: dict[int, list[Recipient]] = {alert.pk: [] for alert in alerts}
    known = Notice.objects.filter(alert__in=notices, route__enabled=True)
    for notice in known.order_by("route__position", "route_id"):
        notices[notice.alert_id].append(notice)
    for pk, name, state in last_messages(list(notices)):
        recipients[pk].append(Recipient(name, state))
    return {
        alert.pk: told(notices[alert.pk], recipients[alert.pk], alert.is_open) for alert in alerts
    }


def last_messages(alerts: Sequence[int]) -> list[tuple[int, str, str]]:
    """For each alert and notifier the state of the last message: alert, notifier's name, state."""
    links = Delivery.alerts.through.objects.filter(alert__in=alerts)
    rows = (
        links.order_by("alert_id", "delivery__notifier_name", "-delivery_id")
        .distinct("alert_id", "delivery__notifier_name")
        .values_list("alert_id", "delivery__notifier_name", "delivery__state")
    )
    return list(rows)
