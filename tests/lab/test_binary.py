"""Finding consul on a machine, and fetching it from a mirror that the test serves."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from consulops.lab import binary

ROOT = Path(__file__).resolve().parents[2]
needs_dpkg = pytest.mark.skipif(
    not shutil.which("dpkg-deb"), reason="packages are unpacked by dpkg-deb, which is not here"
)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def fake_consul(path: Path, version: str = "9.9.9") -> Path:
    return script(path, f"echo 'Consul v{version}'")


def test_consul_bin_goes_before_path_and_path_before_the_data_folder(tmp_path: Path) -> None:
    own = fake_consul(tmp_path / "var" / "bin" / "consul")
    assert binary.find(tmp_path / "var", {}) == own
    on_path = fake_consul(tmp_path / "path" / "consul")
    environ = {"PATH": str(on_path.parent)}
    assert binary.find(tmp_path / "var", environ) == on_path
    chosen = fake_consul(tmp_path / "chosen")
    assert binary.find(tmp_path / "var", {**environ, "CONSUL_BIN": str(chosen)}) == chosen


def test_what_prints_no_version_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "path" / "consul", "echo something else")
    own = fake_consul(tmp_path / "var" / "bin" / "consul")
    assert binary.find(tmp_path / "var", {"PATH": str(tmp_path / "path")}) == own
    own.write_text("not a program")
    assert binary.find(tmp_path / "var", {"PATH": str(tmp_path / "path")}) is None


def test_a_consul_bin_that_does_not_run_is_an_error(tmp_path: Path) -> None:
    fake_consul(tmp_path / "var" / "bin" / "consul")
    with pytest.raises(binary.NoConsul, match="CONSUL_BIN is /nowhere/consul"):
        binary.find(tmp_path / "var", {"CONSUL_BIN": "/nowhere/consul"})


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Mirror:
    """A Debian mirror with one tiny package, and a machine whose apt names it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.site = folder / "mirror", f"http://127.0.0.1:{port}/debian"
        self.tools, self.data = folder / "tools", folder / "var"
        self._package(folder / "package")
        self._machine()

    def _package(self, tree: Path) -> None:
        fake_consul(tree / "usr" / "bin" / "consul")
        (tree / "DEBIAN").mkdir()
        control = "Package: consul\nVersion: 9.9.9\nArchitecture: amd64\n"
        control += "Maintainer: nobody <nobody@example.org>\nDescription: tiny\n"
        (tree / "DEBIAN" / "control").write_text(control)
        self.deb = self.folder / "debian" / "pool" / "consul.deb"
        self.deb.parent.mkdir(parents=True)
        subprocess.run(["dpkg-deb", "-b", tree, self.deb], check=True, capture_output=True)
        self.index = self.folder / "debian/dists/bullseye/main/binary-amd64/Packages.xz"
        self.index.parent.mkdir(parents=True)
        content = self.deb.read_bytes()
        other = "Package: consul-template\nFilename: no\nSize: 1\nSHA256: 0\n\n"
        own = f"{control}Filename: pool/consul.deb\nSize: {len(content)}\n"
        own += f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
        self.index.write_bytes(lzma.compress((other + own).encode()))
        index = self.index.read_bytes()
        line = f" {hashlib.sha256(index).hexdigest()} {len(index)} main/binary-amd64/Packages.xz\n"
        release = self.folder / "debian/dists/bullseye/InRelease"
        release.write_text(f"Origin: Test\nSHA256:\n{line}")

    def _machine(self, own: str = "exit 100") -> None:
        sites = f"file:/cdrom\n{self.site}\n{self.site}"
        script(self.tools / "apt-get", f"echo '{sites}'")
        script(self.tools / "dpkg", "echo amd64")
        script(self.tools / "apt-cache", own)
        for name in ("dpkg-deb", "tar"):
            (self.tools / name).symlink_to(str(shutil.which(name)))

    def with_signatures(self) -> None:
        (self.tools / "gpgv").symlink_to(str(shutil.which("gpgv")))

    def run(self, command: str = "fetch") -> subprocess.CompletedProcess[str]:
        environ = {"PATH": str(self.tools), "LANG": "C.UTF-8", "no_proxy": "*"}
        arguments = [sys.executable, "-m", "consulops.lab", command, "--data", str(self.data)]
        return subprocess.run(arguments, env=environ, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    handler = partial(Quiet, directory=str(tmp_path / "mirror"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mirror(tmp_path: Path, server: ThreadingHTTPServer) -> Mirror:
    return Mirror(tmp_path, server.server_address[1])


@needs_dpkg
def test_consul_is_fetched_once_and_found_offline_from_then_on(
    mirror: Mirror, server: ThreadingHTTPServer
) -> None:
    assert mirror.run("find").returncode == 1
    done = mirror.run()
    path = mirror.data.absolute() / "bin" / "consul"
    assert (done.returncode, done.stdout) == (0, f"{path}\n"), done.stderr
    assert binary.version(path) == "9.9.9"
    assert list(path.parent.iterdir()) == [path]
    shutil.rmtree(mirror.folder)
    assert mirror.run().stdout == mirror.run("find").stdout == f"{path}\n"


@needs_dpkg
def test_without_gpgv_the_missing_signature_check_is_said(mirror: Mirror) -> None:
    assert "signature is not checked" in mirror.run().stderr


@needs_dpkg
@pytest.mark.skipif(
    not (shutil.which("gpgv") and list(Path("/usr/share/keyrings").glob("debian-archive-k*"))),
    reason="signatures are checked by gpgv with Debian's keys, which are not here",
)
def test_a_mirror_without_a_valid_signature_is_refused(mirror: Mirror) -> None:
    mirror.with_signatures()
    done = mirror.run()
    assert done.returncode == 1
    assert "127.0.0.1: its bullseye has no valid signature" in done.stderr
    assert not (mirror.data / "bin" / "consul").exists()


@needs_dpkg
def test_a_package_with_another_checksum_is_refused(mirror: Mirror) -> None:
    content = bytearray(mirror.deb.read_bytes())
    content[-1] ^= 1
    mirror.deb.write_bytes(content)
    done = mirror.run()
    assert done.returncode == 1
    assert "pool/consul.deb does not have the SHA256" in done.stderr
    assert list((mirror.data / "bin").iterdir()) == []


@needs_dpkg
def test_a_package_index_that_was_changed_is_refused(mirror: Mirror) -> None:
    mirror.index.write_bytes(mirror.index.read_bytes() + b"x")
    assert "Packages.xz has" in mirror.run().stderr


@needs_dpkg
def test_a_mirror_without_consul_and_one_without_the_release_are_named(mirror: Mirror) -> None:
    shutil.rmtree(mirror.folder / "debian" / "dists")
    assert "127.0.0.1: HTTP Error 404" in mirror.run().stderr


@needs_dpkg
def test_offline_says_so_and_what_to_do(mirror: Mirror, server: ThreadingHTTPServer) -> None:
    server.socket.close()
    done = mirror.run()
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "or set CONSUL_BIN" in done.stderr
    assert "Traceback" not in done.stderr


@needs_dpkg
def test_the_package_of_the_machines_own_release_goes_first(mirror: Mirror) -> None:
    script(mirror.tools / "apt-cache", "echo 'Package: consul'")
    sites = f'[ "$1" = download ] && exec /bin/cp {mirror.deb} own.deb; echo {mirror.site}'
    script(mirror.tools / "apt-get", sites)
    shutil.rmtree(mirror.folder / "debian" / "dists")
    assert mirror.run().returncode == 0


def test_elsewhere_than_on_a_debian_family_says_what_to_do(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    command = [sys.executable, "-m", "consulops.lab", "fetch", "--data", str(tmp_path / "var")]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "not a Debian family" in done.stderr
    assert f"Put a consul binary at {tmp_path}/var/bin/consul" in done.stderr
