"""Gets the consul binary out of the Debian archive without installing anything and without root.

What is trusted: the machine's own apt sources say which mirrors to ask, and the archive's keys on
this machine sign what the mirror says. The chain is InRelease (signature, by gpgv) → Packages.xz
(SHA256) → the .deb (size and SHA256). Where gpgv or the keys are missing, the mirror itself is
trusted for InRelease, and a warning in the log says so.
"""

from __future__ import annotations

import hashlib
import logging
import lzma
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener, getproxies

log = logging.getLogger(__name__)

# The last Debian that carries consul (1.8.7).
SUITE = "bullseye"
PACKAGE = "consul"
TIMEOUT_S = 30.0


class NotFetched(Exception):
    """The package could not be had; the text says where it was sought and what was wrong."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine knows of the archive: its mirrors, architecture, keys and proxies."""

    sites: tuple[str, ...]
    architecture: str
    keyrings: tuple[Path, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict)
    own_package: bool = False

    @classmethod
    def this(cls) -> Self:
        """Asks apt; raises NotFetched where there is none."""
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise NotFetched("this is not a Debian family, which is the only one known here")
        lines = _output("apt-get", "indextargets", "--format", "$(SITE)").splitlines()
        proxies = getproxies()
        for scheme in ("http", "https"):
            proxy = _output("apt-config", "dump", "--format", "%v%n", f"Acquire::{scheme}::Proxy")
            if proxy.startswith("http"):
                proxies[scheme] = proxy
        return cls(
            sites=tuple(dict.fromkeys(site for site in lines if site.startswith("http"))),
            architecture=_output("dpkg", "--print-architecture"),
            keyrings=tuple(sorted(Path("/usr/share/keyrings").glob("debian-archive-keyring.*"))),
            proxies=proxies,
            own_package=bool(_output("apt-cache", "show", PACKAGE)),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as an index describes it."""

    name: str
    size: int
    sha256: str


def fetch(machine: Machine, folder: Path) -> Path:
    """Fetches and unpacks consul in the folder; returns the binary's path.

    The machine's own release goes first, then each mirror's SUITE. Raises NotFetched with what
    was wrong at each place.
    """
    problems: list[str] = []
    if machine.own_package:
        try:
            return unpack(_own(folder), folder)
        except NotFetched as error:
            problems.append(str(error))
    for site in machine.sites:
        try:
            return unpack(_from_site(machine, site.rstrip("/"), folder), folder)
        # A proxy or a cut line shows as any of several errors, all of them OSErrors or these.
        except (NotFetched, OSError, lzma.LZMAError, ValueError) as error:
            problems.append(f"{urlsplit(site).hostname}: {error}")
    raise NotFetched("; ".join(problems) or "apt names no mirror that is reached over HTTP")


def unpack(package: Path, folder: Path) -> Path:
    """Unpacks a .deb and returns the path of its consul binary."""
    _output("dpkg-deb", "-x", str(package), str(folder / "tree"), must=True)
    binary = folder / "tree" / "usr" / "bin" / PACKAGE
    if not binary.is_file():
        raise NotFetched(f"{package.name} holds no usr/bin/{PACKAGE}")
    return binary


def _own(folder: Path) -> Path:
    """Lets apt download, and verify, the package that its own sources carry."""
    _output("apt-get", "download", PACKAGE, folder=folder, must=True)
    found = next(folder.glob("*.deb"), None)
    if found is None:
        raise NotFetched("apt-get download left no package")
    return found


def _from_site(machine: Machine, site: str, folder: Path) -> Path:
    base = f"{site}/dists/{SUITE}"
    index = f"main/binary-{machine.architecture}/Packages.xz"
    release = _verified(_read(machine, f"{base}/InRelease"), machine.keyrings, folder)
    packages = _read(machine, f"{base}/{index}")
    _compare(packages, release_entry(release, index))
    entry = package_entry(lzma.decompress(packages).decode())
    log.info("Fetching %s from %s", Path(entry.name).name, urlsplit(site).hostname)
    package = _read(machine, f"{site}/{entry.name}")
    _compare(package, entry)
    path = folder / Path(entry.name).name
    path.write_bytes(package)
    return path


def release_entry(release: str, name: str) -> Entry:
    """The line of an InRelease file's SHA256 section about one index file."""
    section = release.partition("\nSHA256:\n")[2]
    for line in section.splitlines():
        if not line.startswith(" "):
            break
        sha256, size, found = line.split()
        if found == name:
            return Entry(name, int(size), sha256)
    raise NotFetched(f"its {SUITE} has no {name}")


def package_entry(packages: str) -> Entry:
    """The consul package of a Packages file."""
    match = re.search(rf"(?:^|\n\n)Package: {PACKAGE}\n(.+?)(?:\n\n|\Z)", packages, re.DOTALL)
    if match is None:
        raise NotFetched(f"its {SUITE} carries no {PACKAGE}")
    fields = dict(re.findall(r"^(Filename|Size|SHA256): (.+)$", match[1], re.MULTILINE))
    if len(fields) != 3:
        raise NotFetched(f"its {SUITE} describes {PACKAGE} without name, size or SHA256")
    return Entry(fields["Filename"], int(fields["Size"]), fields["SHA256"])


def _verified(in_release: bytes, keyrings: Sequence[Path], folder: Path) -> str:
    """The text of an InRelease file once its signature is checked, where that is possible."""
    if not (keyrings and shutil.which("gpgv")):
        log.warning("No gpgv or archive keys here: the mirror's signature is not checked")
        return in_release.decode()
    signed, text = folder / "InRelease", folder / "Release"
    signed.write_bytes(in_release)
    rings = [part for ring in keyrings for part in ("--keyring", str(ring))]
    try:
        _output("gpgv", *rings, "--output", str(text), str(signed), must=True)
    except NotFetched as error:
        raise NotFetched(f"its {SUITE} has no valid signature") from error
    return text.read_text(encoding="utf-8")


def _compare(content: bytes, entry: Entry) -> None:
    if len(content) != entry.size:
        raise NotFetched(f"{entry.name} has {len(content)} bytes instead of {entry.size}")
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise NotFetched(f"{entry.name} does not have the SHA256 that the index says")


def _read(machine: Machine, url: str) -> bytes:
    opener = build_opener(ProxyHandler(dict(machine.proxies)))
    request = Request(url, headers={"User-Agent": "consulops"})  # noqa: S310 - http(s) sites only
    with opener.open(request, timeout=TIMEOUT_S) as answer:
        return bytes(answer.read())


def _output(*command: str, folder: Path | None = None, must: bool = False) -> str:
    """What a tool prints; "" when it fails, or NotFetched with its last line when it `must` not."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed tools, arguments of our own
            command, capture_output=True, text=True, check=True, timeout=TIMEOUT_S * 4, cwd=folder
        )
    except (OSError, subprocess.SubprocessError) as error:
        if not must:
            return ""
        words = str(getattr(error, "stderr", None) or error).strip()
        raise NotFetched(f"{command[0]}: {words.splitlines()[-1]}") from error
    return done.stdout.strip()
