"""What protects every page: headers, the rule that one signs in, cookies, and system checks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.core.checks import Tags, run_checks
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, include, path, reverse
from pytest_django import Settings

from consulops.accounts.models import Role, User
from tests.people import make_user

ROOT = Path(__file__).resolve().parent.parent

# What answers without signing in, and why.
OPEN = {
    "accounts:login": "one has to sign in somewhere",
    "api:healthz": "probes have no session",
    "api:readyz": "probes have no session",
    "api:metrics": "Prometheus has no session",
    "api:consul_alerts_info": "consul-alerts' clients have no session; answered on this machine",
    "api:consul_alerts_check": "the same",
    "api:consul_alerts_wildcard": "the same",
    "api:consul_alerts_checks": "the same",
    "api:consul_alerts_events": "the same",
    "live:stream": "answers strangers with 401: a stream cannot follow a redirect",
}

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("on purpose")


# This module as ROOT_URLCONF is the product with one page more.
urlpatterns = [path("broken/", broken), path("", include("consulops.urls"))]


def assert_is_guarded(response: HttpResponseBase) -> None:
    parts = (part.strip().partition(" ") for part in response["Content-Security-Policy"].split(";"))
    assert {name: value for name, _, value in parts} == POLICY
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/login/", 200),
        ("/users/", 302),
        ("/no/such/page/", 404),
        ("/logout/", 302),
    ],
)
def test_headers_for_strangers(stranger: Client, address: str, status: int) -> None:
    response = stranger.get(address)
    assert response.status_code == status
    assert_is_guarded(response)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/password/", 200),
        ("/users/", 403),
        ("/users/?format=csv", 403),
        ("/no/such/page/", 404),
        ("/logout/", 405),
        ("/login/", 302),
    ],
)
def test_headers_for_people(as_viewer: Client, address: str, status: int) -> None:
    response = as_viewer.get(address)
    assert response.status_code == status
    assert_is_guarded(response)


def test_headers_of_a_file(as_admin: Client) -> None:
    assert_is_guarded(as_admin.get("/audit/?format=json"))


def test_headers_when_the_csrf_token_is_missing(db: None) -> None:
    response = Client(enforce_csrf_checks=True).post("/login/")
    assert response.status_code == 403
    assert_is_guarded(response)


def test_headers_of_a_failure(settings: Settings, viewer: User) -> None:
    settings.ROOT_URLCONF = __name__
    client = Client(raise_request_exception=False)
    client.force_login(viewer)
    response = client.get("/broken/")
    assert response.status_code == 500
    assert "on purpose" not in response.content.decode()
    assert_is_guarded(response)


def patterns(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from patterns(entry, f"{entry.namespace}:" if entry.namespace else space)
        else:
            yield f"{space}{entry.name}", entry


def test_every_page_asks_who_you_are() -> None:
    """Holds for pages that are not written yet: who opens one to strangers must say why here."""
    opened = {
        name
        for name, pattern in patterns(get_resolver())
        if not getattr(pattern.callback, "login_required", True)
    }
    assert opened == OPEN.keys()


def test_cookies_are_for_this_site_only(stranger: Client) -> None:
    make_user("vera", Role.VIEWER, "correct horse battery")
    body = {"username": "vera", "password": "correct horse battery"}
    cookies = stranger.post("/login/", body).cookies
    for name in (django_settings.SESSION_COOKIE_NAME, django_settings.CSRF_COOKIE_NAME):
        assert (cookies[name]["httponly"], cookies[name]["samesite"]) == (True, "Lax")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "False consulops_session"),
        ("https://ops.example.org", "True __Host-consulops_session"),
    ],
)
def test_cookies_are_bound_to_tls_where_there_is_tls(
    tmp_path: Path, url: str, expected: str
) -> None:
    code = (
        "from django.conf import settings as s;"
        "assert s.SESSION_COOKIE_SECURE == s.CSRF_COOKIE_SECURE;"
        "print(s.SESSION_COOKIE_SECURE, s.SESSION_COOKIE_NAME)"
    )
    done = manage(tmp_path, "shell", "--no-imports", "-c", code, CONSULOPS_URL=url)
    assert done.stdout.strip() == expected, done.stderr


def manage(tmp_path: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CONSUL", "DJANGO_SETTINGS"))
    }
    return subprocess.run(
        [sys.executable, "-W", "error", ROOT / "manage.py", *words],
        env={**clean, "CONSULOPS_DATA": str(tmp_path), **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"CONSULOPS_URL": "https://ops.example.org"},
        {"CONSULOPS_URL": "https://ops.example.org", "CONSULOPS_BIND": "0.0.0.0:8000"},
    ],
    ids=["loopback", "proxy here", "proxy elsewhere"],
)
def test_deployment_check_is_clean(tmp_path: Path, environ: dict[str, str]) -> None:
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", **environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues" in done.stdout


def test_keys_that_are_no_keys_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "encryption.keys").write_text("hunter2hunter2")
    done = manage(tmp_path, "check")
    assert done.returncode != 0
    assert "consulops.E001" in done.stderr
    assert "HINT" in done.stderr
    assert "hunter2" not in done.stderr


def found() -> set[str]:
    checks = run_checks(tags=[Tags.security])
    assert all(check.hint for check in checks)
    return {check.id for check in checks if check.id and check.id.startswith("consulops.")}


def test_checks_are_silent_by_default() -> None:
    assert found() == set()


@pytest.mark.parametrize("keys", [[], ["short"], [Fernet.generate_key().decode(), "x" * 44]])
def test_e001_unusable_encryption_keys(settings: Settings, keys: list[str]) -> None:
    settings.ENCRYPTION_KEYS = keys
    assert found() == {"consulops.E001"}


def test_e002_short_secret_key(settings: Settings) -> None:
    settings.SECRET_KEY = "x" * 31
    assert found() == {"consulops.E002"}


@pytest.mark.parametrize(
    ("bind", "url", "debug", "expected"),
    [
        ("0.0.0.0:8000", "https://ops.example.org", True, {"consulops.W001"}),
        ("0.0.0.0:8000", "http://ops.example.org", False, {"consulops.W002"}),
        ("[::]:8000", "http://[::]:8000", True, {"consulops.W001", "consulops.W002"}),
        ("ops.example.org:80", "http://ops.example.org", False, {"consulops.W002"}),
        ("127.0.0.2:8000", "http://127.0.0.2:8000", True, set()),
        ("[::1]:8000", "http://[::1]:8000", True, set()),
        ("localhost:8000", "http://localhost:8000", True, set()),
    ],
)
def test_w001_debug_and_w002_clear_text(
    settings: Settings, bind: str, url: str, debug: bool, expected: set[str]
) -> None:
    settings.BIND, settings.URL, settings.DEBUG = bind, url, debug
    assert found() == expected


def test_open_pages_answer_strangers(stranger: Client) -> None:
    for name in OPEN:
        assert stranger.get(reverse(name)).status_code != 302
