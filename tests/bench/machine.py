"""What a figure depends on besides the code."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import django
import psycopg


def facts(consul: Path, link: psycopg.Connection[tuple[Any, ...]]) -> dict[str, Any]:
    """The machine and the versions of everything that takes part."""
    version = subprocess.run([consul, "version"], capture_output=True, text=True, check=True)
    row = link.execute("SHOW server_version").fetchone()
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "django": django.get_version(),
        "postgresql": row[0] if row else "",
        "consul": version.stdout.split("\n")[0].removeprefix("Consul v"),
    }


def load() -> float:
    """How many processes wanted to run, on average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
