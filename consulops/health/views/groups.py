"""The lists of services and nodes, and the page of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from consulops.clusters.models import Cluster
from consulops.core import export, paging
from consulops.core.status import Status
from consulops.health import groups
from consulops.health.asked import Asked, asked, name_in
from consulops.health.bars import Bar, bars_by, blank, is_old
from consulops.health.groups import Group
from consulops.health.models import Check, Transition
from consulops.health.querysets import CheckQuerySet
from consulops.health.rows import (
    CheckRow,
    Instance,
    check_facts,
    check_rows,
    instances_of_node,
    instances_of_service,
    lean,
)

CHECKS_SHOWN = 2 * paging.SIZE
CHANGES_SHOWN = 20
# Further back a service's changes are on the pages of its checks.
RECENT = timedelta(days=7)


class Find(Protocol):
    """How to find services, or nodes."""

    def __call__(self, clusters: Mapping[int, Cluster], name: str | None = None) -> list[Group]: ...


Arrange = Callable[[list[CheckRow]], list[Instance]]
Facts = Callable[[Group], dict[str, Any]]


@require_GET
def services(request: HttpRequest) -> HttpResponseBase:
    """All services, worst first, also those without checks."""
    return _list(request, "service", groups.services, _service_facts)


@require_GET
def nodes(request: HttpRequest) -> HttpResponseBase:
    """All nodes, worst first, also those without checks."""
    return _list(request, "node", groups.nodes, _node_facts)


def _list(request: HttpRequest, column: str, find: Find, facts: Facts) -> HttpResponseBase:
    wanted = asked(request)
    clusters = wanted.clusters()
    meant = [group for group in find(clusters) if _is_meant(wanted, group)]
    found = [group for group in meant if wanted.status in ("", group.status)]
    if export.wanted(request):
        return export.export(request, f"{column}s", map(facts, found))
    page = paging.page_of(found, lambda group: group.order, wanted.after)
    bars = _bars(column, page.rows, clusters)
    now = timezone.now()
    unknown = blank(now)
    context = {
        "column": column,
        "list_id": f"{column}s",
        "detail": reverse(f"health:{column}"),
        "placeholder": "Name or tag" if column == "service" else "Name or address",
        "asked": wanted,
        "page": page,
        "rows": [
            {
                "group": group,
                "bar": bars.get((group.cluster.pk, group.name), unknown),
                "is_old": is_old(group.cluster, now),
            }
            for group in page.rows
        ],
        "chips": wanted.chips(Counter(group.status.value for group in meant)),
        "clusters": clusters,
        "has_many_clusters": len(clusters) > 1,
    }
    return render(request, f"health/{column}s.html", context)


def _is_meant(wanted: Asked, group: Group) -> bool:
    return wanted.finds(group.name, group.address, *group.tags)


def _bars(
    column: str, shown: list[Group], clusters: Mapping[int, Cluster]
) -> Mapping[tuple[int | str, ...], Bar]:
    checks: CheckQuerySet = Check.objects.filter(
        cluster__in={group.cluster.pk for group in shown},
        **{f"{column}__in": [group.name for group in shown]},
    )
    return bars_by(checks, ("cluster", column), clusters.values(), timezone.now())


@require_GET
def service(request: HttpRequest) -> HttpResponseBase:
    """One service: its instances with their checks, and what changed lately."""
    return _detail(request, "service", groups.services, instances_of_service)


@require_GET
def node(request: HttpRequest) -> HttpResponseBase:
    """One node: its own checks, those of its services, and what changed lately."""
    return _detail(request, "node", groups.nodes, instances_of_node)


def _detail(request: HttpRequest, column: str, find: Find, arrange: Arrange) -> HttpResponseBase:
    name, cluster = name_in(request, "name"), name_in(request, "cluster")
    if not name:
        raise Http404
    if not cluster:
        # Several clusters may have it: the list shows which.
        return redirect(f"{reverse(f'health:{column}s')}?{urlencode({'q': name})}")
    known = Cluster.objects.select_related("state").filter(name=cluster).first()
    own: CheckQuerySet = Check.objects.filter(cluster=known, **{column: name})
    group = next(iter(find({known.pk: known}, name)), None) if known else None
    if known is None or (group is None and not own.exists()):
        absent = {"column": column, "name": name, "cluster": cluster}
        return render(request, "health/absent.html", absent, status=404)
    if export.wanted(request):
        return export.export(request, f"checks-of-{column}", check_facts(own.living()))
    context = _context(group or Group(known, name), own, column, arrange)
    return render(request, f"health/{column}.html", context)


def _context(group: Group, own: CheckQuerySet, column: str, arrange: Arrange) -> dict[str, Any]:
    now = timezone.now()
    cluster = group.cluster
    bars = bars_by(own, ("cluster", column), [cluster], now)
    rows = check_rows(_shown(own, column), {cluster.pk: cluster}, now)
    same = urlencode({"cluster": cluster.name, column: group.name})
    return {
        "column": column,
        "group": group,
        "by_node": column == "service",
        "checks_address": f"{reverse('health:checks')}?{same}",
        "is_old": is_old(cluster, now),
        "bar": bars.get((cluster.pk, group.name), blank(now)),
        "instances": arrange(rows),
        "shown": CHECKS_SHOWN,
        "left_out": group.checks > CHECKS_SHOWN,
        "changes": Transition.objects.of(own, since=now - RECENT)[:CHANGES_SHOWN],
    }


def _shown(own: CheckQuerySet, column: str) -> list[Check]:
    """The worst of these checks; beside a service's those of its nodes that are not well."""
    checks = list(lean(own.living()).worst_first()[:CHECKS_SHOWN])
    if column == "service" and checks:
        of_nodes = Check.objects.living().filter(
            cluster=checks[0].cluster_id, service="", node__in={check.node for check in checks}
        )
        not_well = of_nodes.exclude(status=Status.PASSING)
        checks += lean(not_well).worst_first()[:CHECKS_SHOWN]
    return checks


def _service_facts(group: Group) -> dict[str, Any]:
    return {
        "cluster": group.cluster.name,
        "service": group.name,
        "status": group.status.value,
        "instances": group.instances,
        "nodes": group.nodes,
        "checks": group.checks,
        "failing": group.failing,
        "instances_in_maintenance": group.maintained,
        "nodes_down": group.down,
        "tags": group.tags,
    }


def _node_facts(group: Group) -> dict[str, Any]:
    return {
        "cluster": group.cluster.name,
        "node": group.name,
        "address": group.address,
        "status": group.status.value,
        "is_down": bool(group.down),
        "in_maintenance": bool(group.maintained),
        "services": group.services,
        "checks": group.checks,
        "failing": group.failing,
        "meta": group.meta,
    }
