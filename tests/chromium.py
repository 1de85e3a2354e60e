"""The browser of the browser tests; as a script it installs one where it may.

Playwright's own download is not used: the distribution's Chromium comes with all its libraries.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a Chromium or Chrome; None without one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def required() -> bool:
    """Whether a missing part is a failure and not a reason to skip."""
    return os.environ.get("CI", "").lower() == "true"


def _as_root() -> list[str] | None:
    """What to put before a command that needs root; None when we may not."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and not subprocess.call(
        ["sudo", "-n", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ):
        return ["sudo", "-n"]
    return None


def install() -> str:
    """Installs Chromium from the distribution's packages; what went wrong, empty when nothing."""
    if not shutil.which("apt-get"):
        return "this machine has no apt-get"
    root = _as_root()
    if root is None:
        return "that needs root, or sudo without a password"
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ["update", "-qq"],
        ["install", "-qq", "-y", "--no-install-recommends", "chromium"],
    ):
        command = [*root, "apt-get", *words]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return f"{' '.join(command)} failed: {last}"
    return ""


def main() -> int:
    """Makes sure that there is a browser; 1 when there is none and CI=true."""
    if find():
        return 0
    print("Installing Chromium for the browser tests ...", flush=True)
    wrong = install()
    if find():
        return 0
    print(f"No Chromium: {wrong or 'the package holds none'}.", file=sys.stderr)
    print(
        "Install it by hand (apt install chromium). "
        + ("CI=true, so this is a failure." if required() else "The browser tests are skipped."),
        file=sys.stderr,
    )
    return int(required())


if __name__ == "__main__":
    sys.exit(main())
