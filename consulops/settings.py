"""Django's settings. What a person may set comes from the environment: see env.py."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from psycopg.conninfo import conninfo_to_dict

from consulops import keys, logs
from consulops.env import BadEnvironment, Environment

BASE_DIR = Path(__file__).resolve().parent.parent

try:
    ENV = Environment()
    SECRET_KEY = ENV.text("CONSULOPS_SECRET_KEY") or keys.secret_key(ENV.path("CONSULOPS_DATA"))
    ENCRYPTION_KEYS = ENV.words("CONSULOPS_ENCRYPTION_KEYS") or keys.encryption_keys(
        ENV.path("CONSULOPS_DATA")
    )
except (BadEnvironment, OSError) as error:
    raise SystemExit(f"ConsulOps cannot start: {error}") from None

# "web", "watch", "ops" in the processes that `up` starts, "" elsewhere.
PROCESS = os.environ.get("CONSULOPS_PROCESS", "")
DATA = ENV.path("CONSULOPS_DATA")
BIND = ENV.text("CONSULOPS_BIND")
URL = ENV.text("CONSULOPS_URL").rstrip("/") or f"http://{BIND}"
DEBUG = bool(ENV.flag("CONSULOPS_DEBUG"))

_own = {BIND.rpartition(":")[0], urlsplit(URL).hostname or ""} - {"", "0.0.0.0", "[::]"}  # noqa: S104
# The names of this machine always work: probes come by them, and no other site can.
_loopback = {"127.0.0.1", "localhost", "[::1]"}
ALLOWED_HOSTS = sorted(_loopback | (set(ENV.words("CONSULOPS_ALLOWED_HOSTS")) or _own))
_https = URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [URL] if _https else []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "template_partials",
    "csp",
    "axes",
    "django_q",
    "consulops.core",
    "consulops.accounts",
    "consulops.clusters",
    "consulops.live",
    "consulops.loops",
    "consulops.notifiers",
    "consulops.health",
    "consulops.silences",
    "consulops.alerts",
    "consulops.rules",
    "consulops.watchdog",
    "consulops.events",
    "consulops.api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Before the one that serves static files, so that these carry the header too.
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "consulops.urls"
ASGI_APPLICATION = "consulops.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "consulops.live.context.frame",
            ],
            "builtins": ["consulops.core.templatetags.ui"],
        },
    }
]


_CORE = {"dbname", "user", "password", "host", "port"}


def _database() -> dict[str, Any]:
    # Without a URL manage.py starts the embedded server and sets it, for commands that need one.
    parts = conninfo_to_dict(ENV.text("DATABASE_URL") or "dbname=consulops")
    # A link that died silently is noticed within half a minute; no effect on a local socket.
    options: dict[str, Any] = {
        # A host that swallows packets would hold a process up for minutes.
        "connect_timeout": 10,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }
    options |= {key: value for key, value in parts.items() if key not in _CORE}
    if PROCESS == "web":
        # One process, many short requests. The workers fork, and a pool's threads do not survive.
        options["pool"] = {"min_size": 1, "max_size": 10, "timeout": 10}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", "consulops"),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
        "OPTIONS": options,
        "CONN_MAX_AGE": 0,
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# django-q2. A supervisor ends itself after about ten minutes, well under `timeout` < `retry`.
Q_CLUSTER: dict[str, Any] = {
    "name": "ops",
    "orm": "default",
    "broker_class": "consulops.loops.broker.ListenBroker",
    "workers": 2,
    "timeout": 3600,
    "retry": 3900,
    "max_attempts": 5,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 100,
    # Take no more tasks in advance than must be: another host may have a worker free.
    "queue_limit": 1,
    "guard_cycle": 1,
    "label": "Tasks",
    "ALT_CLUSTERS": {
        "watch": {
            # Exactly one: a supervisor takes over what the former one of its process held.
            "workers": 1,
            "timeout": 900,
            "retry": 1000,
            "max_attempts": 0,
            "scheduler": False,
        }
    },
}
if PROCESS in {"watch", "ops"}:
    # django-q2 reads which cluster it is when it is imported, before any command runs.
    os.environ["Q_CLUSTER_NAME"] = PROCESS

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "accounts:login"

# Five wrong passwords for a name from an address close the door for a quarter of an hour. Not for
# the name alone: then anybody could keep a person out.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "consulops.accounts.throttle.locked_out"
# Knocking at a closed door does not keep it closed: the page says when it opens.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
# The audit record has the sign-ins, and this table would only grow.
AXES_DISABLE_ACCESS_LOG = True

# A browser keeps one set of cookies for all ports of a host; "__Host-" also binds them to TLS.
_prefix = "__Host-" if _https else ""
SESSION_COOKIE_NAME = f"{_prefix}consulops_session"
CSRF_COOKIE_NAME = f"{_prefix}consulops_csrf"
SESSION_COOKIE_AGE = 7 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# TLS ends at a proxy or nowhere (a loopback address): these checks do not know that.
SILENCED_SYSTEM_CHECKS = (
    ["security.W008"]
    if _https
    else ["security.W004", "security.W008", "security.W012", "security.W016"]
)

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MANIFEST_STRICT = False

LOGGING = logs.configuration(
    level=ENV.text("CONSULOPS_LOG_LEVEL"),
    style=ENV.text("CONSULOPS_LOG_FORMAT"),
    process=PROCESS,
)

RETENTION_DAYS = 400
