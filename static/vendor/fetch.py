#!/usr/bin/env python3
"""Gets the vendored files from the npm registry that this machine uses, and checks them.

`fetch.py` writes the files only when each has the sha256 of versions.txt; `fetch.py --accept`
writes them and versions.txt, for a new version that somebody has looked at.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE, CORE_VERSION = "@tabler/core", "1.6.1"
ICONS, ICONS_VERSION = "@tabler/icons", "3.51.0"
OUTLINE = (
    "activity alert-circle alert-triangle apps arrow-right bell bell-off bolt check chevron-down "
    "chevron-left chevron-right chevron-up circle-check circle-minus circle-x clock copy cpu "
    "database device-desktop dots download edit external-link eye file-text filter flask "
    "heartbeat help-circle history inbox info-circle key keyboard layout-dashboard list-check "
    "lock logout mail menu-2 message moon plug plus refresh route search send server settings sun "
    "tool topology-star-3 trash user users webhook wifi-off x "
).split()


def package(name: str, version: str, folder: Path) -> Path:
    """Unpacks one npm package under `folder` and returns where its files are."""
    command = ["npm", "pack", "--silent", f"{name}@{version}"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    target = folder / name.replace("/", "-")
    with tarfile.open(folder / done.stdout.split()[-1]) as archive:
        archive.extractall(target, filter="data")
    return target / "package"


def sprite(icons: Path) -> str:
    """One SVG with a symbol for each icon, named as Tabler names it."""
    symbols = []
    for name in OUTLINE:
        text = (icons / "icons" / "outline" / f"{name}.svg").read_text()
        shapes = re.findall(r"<(?:path|circle|rect|line|polyline)\b[^>]*/>", text)
        drawn = [re.sub(r"\s+", " ", shape) for shape in shapes if 'stroke="none"' not in shape]
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(drawn)}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def without_map(css: str) -> str:
    """The style sheet without the address of its source map, which we do not ship."""
    return re.sub(r"\s*/\*# sourceMappingURL=.*?\*/\s*$", "\n", css)


def built(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Each file's text with the name and version of its package."""
    core, icons = package(CORE, CORE_VERSION, folder), package(ICONS, ICONS_VERSION, folder)
    css = without_map((core / "dist" / "css" / "tabler.min.css").read_text())
    return {
        "tabler.min.css": (css, CORE, CORE_VERSION),
        "icons.svg": (sprite(icons), ICONS, ICONS_VERSION),
        # The core package names its licence (MIT) without the text; its authors' text is here.
        "LICENSE-tabler.txt": ((icons / "LICENSE").read_text(), ICONS, ICONS_VERSION),
    }


def main() -> int:
    """Fetches, compares, writes; 1 when a file is not the one that we know."""
    with tempfile.TemporaryDirectory() as folder:
        files = built(Path(folder))
    lines = [
        f"{name} {version} {file} {hashlib.sha256(text.encode()).hexdigest()} MIT"
        for file, (text, name, version) in files.items()
    ]
    versions = "# package version file sha256 licence\n" + "\n".join(lines) + "\n"
    if "--accept" not in sys.argv[1:]:
        known = (HERE / "versions.txt").read_text()
        if versions != known:
            print(f"Not what versions.txt says:\n{versions}", file=sys.stderr)
            return 1
    for file, (text, _, _) in files.items():
        (HERE / file).write_text(text)
    (HERE / "versions.txt").write_text(versions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
