"""What `up` puts in order before the processes run: tables, static files, admin, first cluster."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection

from consulops.accounts import services as accounts
from consulops.accounts.audit import Actor
from consulops.clusters.models import Cluster
from consulops.clusters.services import save_cluster
from consulops.core.up.preflight import CannotStart
from consulops.loops import schedules

log = logging.getLogger("consulops.up")

ACTOR = "first start"
_CERTIFICATES = {
    "ca_certificate": "CONSUL_CACERT",
    "client_certificate": "CONSUL_CLIENT_CERT",
    "client_key": "CONSUL_CLIENT_KEY",
}


def prepare() -> str | None:
    """Puts everything in order; returns the admin's password when one was made up just now."""
    migrate()
    with _one_at_a_time():
        schedules.ensure()
        password = accounts.ensure_admin(settings.ENV.text("CONSULOPS_ADMIN_PASSWORD"))
        _first_cluster()
    _collect_static()
    return password


def migrate() -> None:
    """Brings the tables up to date; commands that may be the first ever do so too."""
    with _one_at_a_time():
        call_command("migrate", interactive=False, verbosity=0)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    # Several machines may start over one database at the same time.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('consulops first start'))")
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext('consulops first start'))")


def _first_cluster() -> None:
    """Takes over the cluster that the environment names, as long as there is none."""
    address = settings.ENV.text("CONSUL_HTTP_ADDR")
    if not address or Cluster.objects.exists():
        return
    values: dict[str, object] = {
        "address": address if "://" in address else f"http://{address}",
        "token": settings.ENV.text("CONSUL_HTTP_TOKEN"),
    }
    for field, name in _CERTIFICATES.items():
        if path := settings.ENV.text(name):
            values[field] = _certificate(name, Path(path))
    try:
        save_cluster(Actor.named(ACTOR), "consul", values)
    except ValidationError as error:
        raise CannotStart(f"the cluster of CONSUL_HTTP_ADDR: {'; '.join(error.messages)}") from None
    log.info("made the cluster consul from CONSUL_HTTP_ADDR")


def _certificate(name: str, path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"{name}: cannot read {path}: {error}.") from error


def _collect_static() -> None:
    """Copies, hashes and compresses the static files, when one of them has changed."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            state = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(digest.hexdigest())
