"""The pages about people: signing in and out, one's password, the users, and the audit record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consulops.accounts import services
from consulops.accounts.access import requires
from consulops.accounts.audit import Actor
from consulops.accounts.forms import AuditFilter, NewUserForm, PasswordForm, ResetForm, UserForm
from consulops.accounts.models import AuditQuerySet, Role, User
from consulops.core import export, paging


@login_not_required
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Signs a person in, and leads them to where they wanted to go."""
    target = _target(request)
    if request.user.is_authenticated:
        return redirect(target)
    form = AuthenticationForm(request, data=request.POST or None)
    if request.method == "POST":
        if form.is_valid():
            services.sign_in(request, form.get_user())
            return redirect(target)
        # While the door is closed, axes answers in place of this page: see throttle.py.
        if form.non_field_errors() and not getattr(request, "axes_locked_out", False):
            services.record_failed_sign_in(request, form.cleaned_data["username"])
    return render(request, "accounts/login.html", {"form": form, "next": target})


@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """Signs out; by POST only, so that no image or link of another site can do it."""
    services.sign_out(request)
    return redirect("accounts:login")


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Changes one's own password, and ends one's sessions in other browsers."""
    user = _me(request)
    form = PasswordForm(user, request.POST or None)
    if form.is_valid():
        services.change_password(Actor.of(request), user, form.cleaned_data["new_password1"])
        update_session_auth_hash(request, user)
        messages.success(request, "Password changed. Your other sessions have ended.")
        return redirect("accounts:password")
    return render(request, "accounts/password.html", {"form": form})


@requires(Role.ADMIN)
@require_GET
def users(request: HttpRequest) -> HttpResponseBase:
    """Everybody who has an account."""
    people = User.objects.order_by("-is_active", "username")
    if export.wanted(request):
        return export.export(request, "users", (_user_row(user) for user in people.iterator()))
    return render(request, "accounts/users.html", {"people": people})


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def user_new(request: HttpRequest) -> HttpResponse:
    """Makes an account. Its password is in this one answer and nowhere else."""
    form = NewUserForm(request.POST or None, initial={"role": Role.VIEWER})
    if form.is_valid():
        asked = form.cleaned_data
        try:
            user, chosen = services.create_user(
                Actor.of(request),
                username=asked["username"],
                role=Role(asked["role"]),
                password=asked["password"],
            )
        except IntegrityError:
            form.add_error("username", "This name is taken.")
        else:
            return _tell_password(request, user, "" if asked["password"] else chosen)
    return render(request, "accounts/user_new.html", {"form": form})


@requires(Role.ADMIN)
@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def user_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Changes what somebody may do, or gives them a new password."""
    user = get_object_or_404(User, pk=pk)
    resets = "reset" in request.POST
    posted = request.POST or None
    form = UserForm(
        None if resets else posted, initial={"role": user.role, "is_active": user.is_active}
    )
    reset = ResetForm(user, posted if resets else None)
    try:
        if form.is_valid():
            asked = form.cleaned_data
            services.update_user(
                Actor.of(request), user, role=Role(asked["role"]), is_active=asked["is_active"]
            )
            messages.success(request, f"{user.username} saved.")
            return redirect("accounts:users")
        if reset.is_valid():
            given = reset.cleaned_data["new_password"]
            chosen = services.reset_password(Actor.of(request), user, given)
            return _tell_password(request, user, "" if given else chosen)
    except services.Refused as error:
        (reset if resets else form).add_error(None, str(error))
    context = {"person": user, "form": form, "reset": reset, "is_me": user == request.user}
    return render(request, "accounts/user_edit.html", context)


@requires(Role.ADMIN)
@require_GET
def audit(request: HttpRequest) -> HttpResponseBase:
    """Who changed what, when and from where; newest first."""
    asked = AuditFilter(request.GET)
    entries = asked.entries()
    if export.wanted(request):
        return export.export(request, "audit", _audit_rows(entries))
    page = paging.page(entries, ("-id",), request.GET.get("after", ""))
    return render(request, "accounts/audit.html", {"asked": asked, "page": page})


def _me(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError("this page is for people who are signed in")
    return request.user


def _target(request: HttpRequest) -> str:
    """Where to go after signing in: the `next` of this site only, or the first page."""
    wish = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME, "")
    is_ours = url_has_allowed_host_and_scheme(
        wish, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wish if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)


def _tell_password(request: HttpRequest, user: User, made_up: str) -> HttpResponse:
    # Not a redirect with a message: that would put the password into a cookie or the database.
    context = {"person": user, "made_up": made_up}
    return render(request, "accounts/user_password.html", context)


def _user_row(user: User) -> dict[str, Any]:
    return {
        "name": user.username,
        "role": user.role,
        "active": user.is_active,
        "last_sign_in": user.last_login,
        "since": user.date_joined,
    }


def _audit_rows(entries: AuditQuerySet) -> Iterator[dict[str, Any]]:
    for entry in entries.order_by("-id").iterator(chunk_size=1000):
        yield {
            "at": entry.at,
            "who": entry.actor_name,
            "address": entry.address,
            "action": entry.action,
            "object_type": entry.object_type,
            "object_id": entry.object_id,
            "object": entry.object_name,
            "detail": entry.detail,
        }
