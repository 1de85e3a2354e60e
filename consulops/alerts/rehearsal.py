"""Who would be told if a check had this status: every stage's word, and nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consulops.alerts.evaluation import Batch, situation
from consulops.alerts.grouping import Groups, group_key
from consulops.alerts.models import Alert, Notice, Route
from consulops.alerts.pipeline import Decision, Outcome, Verdict, decide, examine
from consulops.alerts.surroundings import Surroundings
from consulops.alerts.table import Table
from consulops.health.models import Check
from consulops.notifiers.models import Notifier


@dataclass(frozen=True, slots=True)
class Part:
    """One route's part: what each of its stages says, and whom it would tell."""

    route: Route
    verdicts: tuple[Verdict, ...]
    decision: Decision
    notifiers: Sequence[Notifier]
    escalations: Sequence[Notifier]

    @property
    def tells(self) -> bool:
        """Whether a message would go out at once."""
        return self.decision.reason is not None

    @property
    def waits(self) -> bool:
        """Whether one might go out later."""
        return self.decision.verdicts[-1].outcome is Outcome.HELD

    @property
    def is_silent(self) -> bool:
        """Whether there would be none, now or later."""
        return not self.tells and not self.waits


def rehearse(check: Check, status: str, now: datetime) -> list[Part]:
    """What each route would say of this check if it had this status from now on, in their order.

    The check comes with its cluster. Nothing is written.
    """
    alert = Alert(
        cluster=check.cluster,
        check_ref=check,
        status=status,
        previous=check.status,
        since=now,
        opened_at=now,
    )
    table = Table.load(now)
    around = Surroundings.of([alert], table)
    batch = Batch(now, table, around, Groups.of((), [alert], table.routes))
    subject = around.subject(check, check.cluster, status)
    mismatches, silence = table.mismatches(subject), table.silence(subject)
    parts = []
    for route in table.routes:
        notice = Notice(route=route, group_key=group_key(route, alert))
        view = situation(batch, alert, route, notice, mismatches[route.pk], silence)
        told = table.notifiers.get(route.pk, []), table.escalations.get(route.pk, [])
        parts.append(Part(route, examine(view), decide(view), *told))
    return parts
