"""Generated keys: made once, for the owner's eyes, and kept."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from consulops import keys
from tests.product import ROOT


@pytest.mark.parametrize("make", [keys.secret_key, keys.encryption_keys])
def test_the_same_key_at_each_start(make: Callable[[Path], object], tmp_path: Path) -> None:
    data = tmp_path / "new" / "data"
    assert make(data) == make(data)
    (file,) = [entry for entry in data.iterdir() if entry.suffix in (".key", ".keys")]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # No draft stays behind.
    assert list(data.iterdir()) == [file]


def test_two_folders_have_two_keys(tmp_path: Path) -> None:
    assert keys.secret_key(tmp_path / "a") != keys.secret_key(tmp_path / "b")


def test_all_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, consulops.keys as k; print(k.secret_key(pathlib.Path(sys.argv[1])))"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    starting = [subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]
    assert len({process.communicate(timeout=60)[0] for process in starting}) == 1


def test_several_keys_one_per_line(tmp_path: Path) -> None:
    (tmp_path / "encryption.keys").write_text("new\nold\n")
    assert keys.encryption_keys(tmp_path) == ["new", "old"]
