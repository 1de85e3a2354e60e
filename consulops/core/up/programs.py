"""Which processes `up` runs, and the configuration of supervisord that says so."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from consulops.core.up import bound

# The web process needs three seconds for its streams; with PostgreSQL all ends within ten.
STOP_S = 7


@dataclass(frozen=True, slots=True)
class Program:
    """One process that is kept running: its label in log lines, and its command."""

    name: str
    command: tuple[str, ...]


def programs(host: str, port: int, demo: Path | None) -> list[Program]:
    """Web, watch and ops, and the demo when its data folder is given."""
    python = sys.executable
    found = [
        Program("web", (python, "-m", "consulops.core.up.web", host, str(port))),
        Program("watch", (python, "manage.py", "work", "watch")),
        Program("ops", (python, "manage.py", "work", "ops")),
    ]
    if demo:
        command = (python, "-m", "consulops.lab", "demo", "--data", str(demo))
        found.append(Program("demo", command))
    return found


def configuration(running: list[Program], root: Path, run: Path) -> str:
    """The text of supervisord.conf; secrets reach the processes by the inherited environment."""
    sections = [_supervisord(run), *(_program(program, root) for program in running)]
    # One group: the processes of a group are stopped side by side.
    names = ",".join(program.name for program in running)
    sections.append(f"[group:consulops]\nprograms={names}\n")
    return "\n".join(sections)


def _supervisord(run: Path) -> str:
    user = "user=root\n" if os.geteuid() == 0 else ""
    return (
        "[supervisord]\nnodaemon=true\nnocleanup=true\nloglevel=warn\n"
        f"logfile=/dev/null\nlogfile_maxbytes=0\n{user}"
        f"pidfile={_escaped(str(run / 'supervisord.pid'))}\n"
    )


def _program(program: Program, root: Path) -> str:
    command = shlex.join([sys.executable, "-I", "-S", bound.__file__, *program.command])
    return (
        f"[program:{program.name}]\n"
        f"command={_escaped(command)}\n"
        f"directory={_escaped(str(root))}\n"
        f'environment=CONSULOPS_PROCESS="{program.name}"\n'
        "autorestart=true\nstartsecs=1\nstartretries=1000000\n"
        f"stopwaitsecs={STOP_S}\nstopasgroup=false\nkillasgroup=true\n"
        "redirect_stderr=true\nstdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\n"
    )


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
