"""The state of checks as consul-alerts' API tells it: a failure counts once its wait is over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from django.db.models import Prefetch

from consulops.alerts.models import Alert, Notice
from consulops.alerts.told import stopped_at
from consulops.core.status import FAILING, Status
from consulops.health.models import Check

# consul-alerts knows no other states; what we do not know is nobody's to call well.
_CODES = {"passing": HTTPStatus.OK, "warning": HTTPStatus.SERVICE_UNAVAILABLE}
_WORDS = {Status.MAINTENANCE: "critical"}


@dataclass(frozen=True, slots=True)
class Stated:
    """A check and the status that counts."""

    check: Check
    status: str

    @property
    def code(self) -> HTTPStatus:
        return _CODES.get(self.status, HTTPStatus.SERVICE_UNAVAILABLE)

    def text(self) -> str:
        """As `/v1/health` says it."""
        output = f"output: {self.check.output}\n" if self.check.output else ""
        return f"status: {self.status}\n{output}"

    def to_dict(self) -> dict[str, str]:
        """As `/v1/health/wildcard` says it."""
        check = self.check
        return {
            "Node": check.node,
            "CheckID": check.check_id,
            "Name": check.name,
            "Status": self.status,
            "Notes": check.notes,
            "Output": check.output,
            "ServiceID": check.service_id,
            "ServiceName": check.service,
        }


def stated(checks: Iterable[Check], now: datetime) -> list[Stated]:
    """These checks with the status that counts; in three queries however many they are."""
    found = list(checks)
    failing = [check.pk for check in found if check.status in FAILING]
    notices = Notice.objects.filter(route__enabled=True).select_related("route")
    alerts = Alert.objects.open().filter(check_ref__in=failing)
    alerts = alerts.prefetch_related(Prefetch("notices", queryset=notices))
    by_check = {alert.check_ref_id: alert for alert in alerts}
    return [Stated(check, _counted(check, by_check.get(check.pk), now)) for check in found]


def worst_code(found: Sequence[Stated]) -> HTTPStatus:
    """The code that speaks for all of them; 200 when there are none."""
    return max((one.code for one in found), default=HTTPStatus.OK)


def _counted(check: Check, alert: Alert | None, now: datetime) -> str:
    """The status of a check, or for one that still waits the one before.

    With several routes the one that waits shortest decides.
    """
    if alert is None or alert.status != check.status:
        return _WORDS.get(Status(check.status), check.status)
    meant = [one for one in alert.notices.all() if stopped_at(one) != "match"]
    if not meant or any(_is_over(one, alert, now) for one in meant):
        return check.status
    told = [one.said for one in meant if one.said in FAILING]
    return told[0] if told else Status.PASSING.value


def _is_over(notice: Notice, alert: Alert, now: datetime) -> bool:
    wait_s = notice.route.wait_s if notice.route else 0
    return now >= alert.since + timedelta(seconds=wait_s)
