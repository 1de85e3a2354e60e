"""Who would be told, without telling anybody."""

from __future__ import annotations

import pytest
from django.utils import timezone

from consulops.alerts.models import Alert, Delivery, Notice
from consulops.alerts.rehearsal import Part, rehearse
from consulops.health.models import Check
from tests.alerts.factories import make_cluster, make_notifier, make_route, mend, observation, see

pytestmark = pytest.mark.django_db


def stages(part: Part) -> dict[str, str]:
    return {verdict.stage: verdict.reason for verdict in part.verdicts}


def test_every_stage_of_every_route_is_heard_and_nothing_is_made() -> None:
    hook = make_notifier()
    make_route(hook, "web", match={"service": "web"}, wait_s=60)
    make_route(hook, "rest")
    mend(make_cluster())
    web, rest = rehearse(Check.objects.get(), "critical", timezone.now())
    assert (web.tells, web.waits, list(web.notifiers)) == (False, True, [hook])
    assert stages(web)["wait"] == "critical must last 60 s before it counts"
    assert (rest.tells, rest.waits) == (False, False)
    assert stages(rest)["match"] == "the route web comes first"
    # Also what stands behind the stage that decided.
    assert stages(rest)["group"]
    assert not any(model.objects.exists() for model in (Alert, Notice, Delivery))


def test_what_is_around_the_check_counts() -> None:
    make_route(make_notifier())
    rest = observation("_node_maintenance", "maintenance", service="", service_id="")
    see(make_cluster(), rest, observation(status="passing"))
    (part,) = rehearse(Check.objects.get(check_id="web"), "warning", timezone.now())
    assert stages(part)["maintenance"] == "the node n1 is in maintenance"


def test_a_message_that_would_go_out_at_once() -> None:
    make_route(make_notifier())
    mend(make_cluster())
    (part,) = rehearse(Check.objects.get(), "critical", timezone.now())
    assert part.tells
