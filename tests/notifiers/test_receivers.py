"""The receivers as a program, which measurements run in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent.parent


def test_program_writes_a_line_per_request_and_ends_with_its_input() -> None:
    command = [sys.executable, "-m", "tests.receivers", "webhook"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout
        assert program.stdin
        started = json.loads(program.stdout.readline())
        requests.put(f"{started['url']}?a=b", json={"x": "ü"}, headers={"X-A": "1"}, timeout=5)
        got = json.loads(program.stdout.readline())
        program.stdin.close()
        assert program.wait(10) == 0
    assert (got["method"], got["path"]) == ("PUT", "/hook?a=b")
    assert got["headers"]["X-A"] == "1"
    assert json.loads(got["body"]) == {"x": "ü"}
    assert isinstance(got["at"], float)
