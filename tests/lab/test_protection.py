"""Clusters with ACLs and with TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
import trustme

from consulops.lab.cluster import LocalCluster
from consulops.lab.server import Tls

pytestmark = pytest.mark.consul


def test_acls_deny_all_but_the_management_token_and_outlive_a_restart(
    consul_binary: Path, tmp_path: Path
) -> None:
    with LocalCluster(consul_binary, folder=tmp_path / "acl", acl=True) as cluster:
        token = cluster.token
        cluster.register_service("web")
        cluster.call("PUT", "kv/lab", "kept")
        denied = requests.get(f"{cluster.address}/v1/kv/lab", timeout=5)
        assert denied.status_code == 403
        assert (tmp_path / "acl" / "lab.json").stat().st_mode & 0o077 == 0
    with LocalCluster(consul_binary, folder=tmp_path / "acl", acl=True) as cluster:
        assert cluster.token == token
        assert cluster.call("GET", "kv/lab?keys&consistent") == ["lab"]
        assert "web" in cluster.call("GET", "agent/services")


def test_three_servers_with_acls(consul_binary: Path) -> None:
    with LocalCluster(consul_binary, servers=3, acl=True) as cluster:
        cluster.register_service("web", server=2)
        assert "web" in cluster.call("GET", "agent/services", server=2)


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    pair.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    pair.private_key_pem.write_to_path(tmp_path / "key.pem")
    return Tls(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")


def test_tls_serves_https_to_whoever_trusts_the_authority(consul_binary: Path, tls: Tls) -> None:
    with LocalCluster(consul_binary, tls=tls) as cluster:
        url = f"{cluster.address}/v1/status/leader"
        assert url.startswith("https://127.0.0.1:")
        assert requests.get(url, verify=str(tls.authority), timeout=5).ok
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, timeout=5)


def test_verify_incoming_asks_for_a_client_certificate(consul_binary: Path, tls: Tls) -> None:
    mutual = Tls(tls.authority, tls.certificate, tls.key, verify_incoming=True)
    with LocalCluster(consul_binary, tls=mutual) as cluster:
        url, own = f"{cluster.address}/v1/status/leader", (str(tls.certificate), str(tls.key))
        assert requests.get(url, verify=str(tls.authority), cert=own, timeout=5).ok
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(url, verify=str(tls.authority), timeout=5)
