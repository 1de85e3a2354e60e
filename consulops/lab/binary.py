"""Finds a consul binary on this machine, or fetches one from the distribution's own packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from consulops.lab import debian

_VERSION = re.compile(r"^Consul v(\d+\.\d+\.\d+\S*)", re.MULTILINE)


class NoConsul(Exception):
    """There is no consul binary; the text says what was tried and how to get one."""


def find(data: Path, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The consul binary to use: CONSUL_BIN, then PATH, then the data folder; None without one.

    One counts only when it really prints its version. Raises NoConsul when CONSUL_BIN is set to
    something else: whoever set it does not want another one.
    """
    chosen = environ.get("CONSUL_BIN")
    if chosen:
        path = Path(chosen).expanduser()
        if version(path) is None:
            raise NoConsul(f"CONSUL_BIN is {chosen}, but that does not run as consul.")
        return path.absolute()
    found = (path for path in _candidates(data, environ) if version(path) is not None)
    return next(found, None)


def version(binary: Path) -> str | None:
    """The version that a binary prints, such as "1.8.7"; None when it is no consul that runs."""
    try:
        done = subprocess.run(  # noqa: S603 - the path is ours or the user's own choice
            [binary, "version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    match = _VERSION.search(done.stdout)
    return match[1] if match else None


def _candidates(data: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    on_path = shutil.which("consul", path=environ.get("PATH", ""))
    if on_path:
        yield Path(on_path).absolute()
    yield (data / "bin" / "consul").absolute()


def fetch(data: Path) -> Path:
    """Fetches a consul binary from the distribution's packages into the data folder.

    Nothing is installed and no root is needed; see `debian` for what is trusted. Raises NoConsul,
    with all that was tried and what to do instead, where that is impossible.
    """
    target = (data / "bin" / "consul").absolute()
    advice = f"Put a consul binary at {target}, or on PATH, or set CONSUL_BIN to where it is."
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
            unpacked = debian.fetch(debian.Machine.this(), Path(folder))
            if version(unpacked) is None:
                raise NoConsul(f"The consul that was fetched does not run here. {advice}")
            unpacked.replace(target)
    except (debian.NotFetched, OSError) as error:
        raise NoConsul(f"No consul could be fetched: {error}. {advice}") from error
    return target
