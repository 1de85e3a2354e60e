"""As whom the embedded PostgreSQL runs: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "pgserver"


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group of the server's process."""

    uid: int
    gid: int

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"


def account_for(folder: Path) -> Account | None:
    """None: as ourselves. For root: who owns the server's files, else the user "pgserver"."""
    if os.geteuid() != 0:
        return None
    if folder.exists() and (state := folder.stat()).st_uid != 0:
        return Account(state.st_uid, state.st_gid)
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        subprocess.run(  # noqa: S603
            ["useradd", "--system", "--no-create-home", "--user-group", NAME],  # noqa: S607
            check=True,
            capture_output=True,
        )
        entry = pwd.getpwnam(NAME)
    return Account(entry.pw_uid, entry.pw_gid)


def let_through(account: Account, binaries: Path, paths: list[Path]) -> None:
    """Lets the server's user read the binaries and walk to the paths: to pass, not to list."""
    for path in [binaries, *paths]:
        for folder in path.parents:
            _allow(folder, account, 0o001)
    for root, _, names in os.walk(binaries.parent):
        _allow(Path(root), account, 0o005)
        for name in names:
            path = Path(root) / name
            _allow(path, account, 0o005 if path.parent == binaries else 0o004)


def _allow(path: Path, account: Account, bits: int) -> None:
    state = path.stat()
    if state.st_uid != account.uid and state.st_mode & bits != bits:
        path.chmod(state.st_mode & 0o7777 | bits)
