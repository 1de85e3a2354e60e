"""Settings of a test run: a data folder and a PostgreSQL of its own, whatever the environment says.

pytest-django reads the settings before any conftest.py, so this is where the server is started.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from consulops.core.embedded_postgres import Server

for name in [name for name in os.environ if name.startswith(("CONSUL_HTTP", "CONSULOPS_"))]:
    del os.environ[name]

FOLDER = Path(tempfile.mkdtemp(prefix="consulops-test-"))
FOLDER.chmod(0o755)
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
os.environ["CONSULOPS_DATA"] = str(FOLDER)

# Of several workers each has a server of its own; the process that only hands out tests has none.
_IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_HANDS_OUT = not _IS_WORKER and any(word.startswith(("-n", "--numprocesses")) for word in sys.argv)
if not _HANDS_OUT:
    _SERVER = Server(FOLDER)
    _SERVER.start()
    atexit.register(_SERVER.stop)
    os.environ["DATABASE_URL"] = _SERVER.url
    with psycopg.connect(_SERVER.url, autocommit=True) as link:
        # A crash of the machine may cost the tests their data: nothing has to wait for the disk.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            link.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        link.execute("SELECT pg_reload_conf()")

from consulops.settings import *  # noqa: E402, F403 - Django's way to build on other settings

# Pages are tested without `collectstatic`.
(FOLDER / "static").mkdir()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
