"""The present configuration as a document that `apply` takes without changing anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml
from pydantic import BaseModel

from consulops.alerts.models import Route
from consulops.api.configuration.document import ClusterItem, NotifierItem, RouteItem
from consulops.clusters.models import Cluster
from consulops.health.matching import PATTERNS
from consulops.notifiers.models import Notifier


def export(*, secrets: bool) -> str:
    """The YAML of everything; defaults are left out, and so are secrets unless asked for.

    Raises WrongKey when a secret is asked for that no key opens.
    """
    sections: dict[str, Iterable[BaseModel]] = {
        "clusters": (_cluster(one, secrets) for one in Cluster.objects.all()),
        "notifiers": (_notifier(one, secrets) for one in Notifier.objects.all()),
        "routes": (_route(one) for one in Route.objects.prefetch_related("notifiers")),
    }
    data = {
        name: [item.model_dump(by_alias=True, exclude_defaults=True) for item in items]
        for name, items in sections.items()
    }
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def _cluster(cluster: Cluster, secrets: bool) -> ClusterItem:
    hidden = set() if secrets else {"token", "client_key"}
    names = ClusterItem.model_fields.keys() - hidden
    values = {name: getattr(cluster, name) for name in names}
    return ClusterItem(**{name: value for name, value in values.items() if value != ""})


def _notifier(notifier: Notifier, secrets: bool) -> NotifierItem:
    config: dict[str, Any] = {**notifier.config, **(notifier.secrets if secrets else {})}
    return NotifierItem(
        name=notifier.name,
        kind=notifier.kind,
        config={name: value for name, value in config.items() if value not in (None, "")},
        enabled=notifier.enabled,
        timeout_s=notifier.timeout_s,
        concurrency=notifier.concurrency,
    )


def _route(route: Route) -> RouteItem:
    names = RouteItem.model_fields.keys() - {"notifiers", "continues", "match"}
    values: dict[str, Any] = {name: getattr(route, name) for name in names}
    # PostgreSQL does not keep their order.
    matchers = (name for name in (*PATTERNS, "status") if name in route.match)
    values["match"] = {name: route.match[name] for name in matchers}
    told = sorted(notifier.name for notifier in route.notifiers.all())
    return RouteItem.model_validate({**values, "continue": route.continues, "notifiers": told})
