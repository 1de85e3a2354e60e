"""The list of service rules with what they say now, and the form of one with its preview."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.models import Role
from consulops.core import export
from consulops.live.context import is_fragment
from consulops.live.etag import fresh_by
from consulops.rules import services, state
from consulops.rules.forms import RuleForm
from consulops.rules.models import ServiceRule


@require_GET
@fresh_by("rules", "checks", "clusters")
def rules(request: HttpRequest) -> HttpResponseBase:
    """All rules, those that are broken first."""
    rows = state.rows(ServiceRule.objects.all())
    if export.wanted(request):
        return export.export(request, "rules", map(_facts, rows))
    return render(request, "rules/list.html", {"rows": rows})


@requires(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Adds a rule."""
    return _form(request, RuleForm(request.POST or None))


@requires(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes a rule."""
    rule = get_object_or_404(ServiceRule, pk=pk)
    return _form(request, RuleForm(request.POST or None, instance=rule))


def _form(request: HttpRequest, form: RuleForm) -> HttpResponse:
    if form.is_valid():
        # As it is saved: the form has already written into its own.
        before = ServiceRule.objects.filter(pk=form.instance.pk).first()
        name = form.cleaned_data["name"]
        try:
            _, changed = services.save_rule(Actor.of(request), name, form.values(), before)
        except (IntegrityError, ValidationError):
            form.add_error("name", "Another rule took this name a moment ago.")
        else:
            messages.success(request, f"{name} {'is saved' if changed else 'is as it was'}.")
            return redirect("rules:list")
    return _form_page(request, form)


def _form_page(
    request: HttpRequest, form: RuleForm, more: dict[str, Any] | None = None
) -> HttpResponse:
    saved = ServiceRule.objects.filter(pk=form.instance.pk).first()
    return render(request, "rules/form.html", {"form": form, "saved": saved, **(more or {})})


@requires(Role.ADMIN)
@require_POST
def try_out(request: HttpRequest) -> HttpResponse:
    """Says what the rule in the form would say now; saves nothing."""
    key = request.POST.get("rule", "")
    rule = ServiceRule.objects.filter(pk=key).first() if key.isdecimal() else None
    form = RuleForm(request.POST, instance=rule)
    wrong = form.wrong_for_preview()
    context: dict[str, Any] = {"wrong": wrong, "tried": True}
    if not wrong:
        context["preview"] = state.preview(form.unsaved())
    if is_fragment(request):
        return render(request, "rules/_preview.html", context)
    return _form_page(request, form, context)


@requires(Role.ADMIN)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Removes a rule; its alerts are over."""
    rule = get_object_or_404(ServiceRule, pk=pk)
    services.delete_rule(Actor.of(request), rule)
    messages.success(request, f"{rule.name} is deleted.")
    return redirect("rules:list")


def _facts(row: state.Row) -> dict[str, Any]:
    rule = row.rule
    return {
        "name": rule.name,
        "enabled": rule.enabled,
        "match": rule.match,
        "least_passing": rule.least_passing,
        "least_percent": rule.least_percent,
        "warning_passes": rule.warning_passes,
        "status": rule.status,
        "services": len(row.checks),
        "broken": [f"{check.cluster.name}/{check.service}" for check in row.broken],
    }
