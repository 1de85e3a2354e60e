"""The pages of clusters: list, detail, new, edit, test and delete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.alerts.models import Alert
from consulops.clusters import services
from consulops.clusters.forms import ClusterForm, DeleteForm
from consulops.clusters.models import Cluster
from consulops.clusters.summary import NO_CHECKS, Sizes, Summary, summarize
from consulops.consulapi import rights
from consulops.consulapi.rights import Finding
from consulops.core import export
from consulops.core.crypto import WrongKey
from consulops.core.status import FAILING, Status
from consulops.health.models import Check, Node, Service, Transition
from consulops.live.context import is_fragment

FAILING_SHOWN = 20
TRANSITIONS_SHOWN = 15


@require_GET
def clusters(request: HttpRequest) -> HttpResponseBase:
    """All clusters, worst first."""
    rows = summarize(with_state(), sizes(), timezone.now())
    if export.wanted(request):
        return export.export(request, "clusters", export_rows(rows))
    return render(request, "clusters/list.html", {"rows": rows})


@require_GET
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One cluster: what it is, what fails in it, and what happened lately."""
    rows = summarize(with_state(), sizes(), timezone.now())
    row = next((row for row in rows if row.cluster.pk == pk), None)
    if row is None:
        get_object_or_404(Cluster, pk=pk)
    failing = Check.objects.filter(cluster=pk, status__in=FAILING).order_by("rank", "-since", "id")
    recent = Transition.objects.filter(cluster=pk).select_related("check_ref")
    context = {
        "row": row,
        "failing": failing[:FAILING_SHOWN],
        "transitions": recent.order_by("-at", "-id")[:TRANSITIONS_SHOWN],
    }
    return render(request, "clusters/detail.html", context)


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Adds a cluster."""
    form = ClusterForm(request.POST or None)
    if form.is_valid():
        try:
            saved = services.create_cluster(Actor.of(request), form.values())
        except ValidationError as error:  # the name was taken a moment ago
            form.add_error(None, error)
        else:
            messages.success(request, f"{saved.cluster.name} is added and will be watched.")
            return redirect("clusters:detail", saved.cluster.pk)
    return _form_page(request, form)


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes a cluster's settings."""
    cluster = get_object_or_404(Cluster, pk=pk)
    form = ClusterForm(request.POST or None, instance=cluster)
    if form.is_valid():
        try:
            saved = services.update_cluster(Actor.of(request), pk, form.values())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            done = "saved" if saved.changed else "is as it was"
            messages.success(request, f"{saved.cluster.name} {done}.")
            return redirect("clusters:detail", pk)
    return _form_page(request, form)


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_POST
def test(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Tries the connection with what is in the form now, saved or not, and says what works."""
    cluster = get_object_or_404(Cluster, pk=pk) if pk else None
    form = ClusterForm(request.POST, instance=cluster)
    wrong = form.connection_errors()
    findings = [] if wrong else _try_out(form.instance)
    context = {"findings": findings, "wrong": wrong, "tested": True}
    if is_fragment(request):
        return render(request, "clusters/_findings.html", context)
    return _form_page(request, form, context)


@requires(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Removes a cluster and its history, once its name is typed."""
    cluster = get_object_or_404(Cluster, pk=pk)
    form = DeleteForm(cluster, request.POST or None)
    if form.is_valid():
        services.delete_cluster(Actor.of(request), pk)
        messages.success(request, f"{cluster.name} is deleted.")
        return redirect("clusters:list")
    context = {
        "cluster": cluster,
        "form": form,
        "checks": Check.objects.filter(cluster=cluster).count(),
        "transitions": Transition.objects.filter(cluster=cluster).count(),
        "alerts": Alert.objects.filter(cluster=cluster).count(),
    }
    return render(request, "clusters/delete.html", context)


def _form_page(
    request: HttpRequest, form: ClusterForm, more: dict[str, Any] | None = None
) -> HttpResponse:
    if form.is_bound:
        form.ask_again()
    # The row as it is saved: the form has already written into its own.
    saved = Cluster.objects.filter(pk=form.instance.pk).first()
    return render(request, "clusters/form.html", {"form": form, "cluster": saved, **(more or {})})


def _try_out(cluster: Cluster) -> list[Finding]:
    try:
        connection = cluster.connection()
    except WrongKey as error:
        return [Finding("Kept secrets", False, str(error))]
    return rights.probe(replace(connection, name=connection.name or "the new cluster"))


def with_state() -> QuerySet[Cluster]:
    """All clusters with what was last heard from each, in one query."""
    return Cluster.objects.select_related("state")


def sizes() -> dict[int, Sizes]:
    """What there is in each cluster, in three queries for all of them."""
    checks = Check.objects.counts_by_cluster()
    nodes = dict(Node.objects.order_by().values_list("cluster").annotate(Count("pk")))
    names = dict(Service.objects.order_by().values_list("cluster").annotate(Count("pk")))
    return {
        pk: Sizes(checks.get(pk, NO_CHECKS), nodes.get(pk, 0), names.get(pk, 0))
        for pk in checks.keys() | nodes.keys() | names.keys()
    }


def export_rows(rows: list[Summary]) -> Iterator[dict[str, Any]]:
    """These clusters as a file has them."""
    for row in rows:
        yield {
            "name": row.cluster.name,
            "address": row.cluster.address,
            "datacenter": row.state.datacenter or row.cluster.datacenter,
            "status": row.verdict.status.value,
            "verdict": row.verdict.sentence,
            "leader": row.state.leader,
            "servers": len(row.state.peers),
            "failure_tolerance": row.state.failure_tolerance,
            "version": row.state.version,
            "nodes": row.sizes.nodes,
            "services": row.sizes.services,
            "checks": row.checks.total,
            Status.CRITICAL.value: row.checks.critical,
            Status.WARNING.value: row.checks.warning,
            "answered_at": row.state.answered_at,
        }
