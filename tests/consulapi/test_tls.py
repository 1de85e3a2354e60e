"""TLS with certificates of our own making: who is trusted, and the sentence when it fails."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import trustme

from consulops.consulapi import Connection, errors
from consulops.consulapi.rights import probe
from tests.consulapi.conftest import Read
from tests.fake_consul import FakeConsul

# The server's reason arrives, or the end of the connection before it: TLS 1.3 leaves it to luck.
TURNED_AWAY = (errors.TlsFailed, errors.Unreachable)


@dataclass(frozen=True)
class Authority:
    """One CA, and a certificate of it as PEM texts."""

    ca: trustme.CA
    server: trustme.LeafCert
    client: trustme.LeafCert

    @classmethod
    def make(cls, host: str = "127.0.0.1") -> Authority:
        ca = trustme.CA()
        return cls(ca, ca.issue_cert(host), ca.issue_cert("client@example.com"))

    @property
    def pem(self) -> str:
        return self.ca.cert_pem.bytes().decode()

    def context(self, want_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.configure_cert(context)
        if want_client:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def with_client(self, connection: Connection) -> Connection:
        certificate = "".join(pem.bytes().decode() for pem in self.client.cert_chain_pems)
        key = self.client.private_key_pem.bytes().decode()
        return replace(connection, client_certificate=certificate, client_key=key)


@pytest.fixture(scope="module")
def ours() -> Authority:
    return Authority.make()


@pytest.fixture(scope="module")
def other() -> Authority:
    return Authority.make()


@pytest.fixture
def server(ours: Authority) -> Iterator[FakeConsul]:
    with FakeConsul(ours.context()) as fake:
        yield fake


@pytest.fixture
def strict(ours: Authority) -> Iterator[FakeConsul]:
    """A server that wants a client certificate of its own CA."""
    with FakeConsul(ours.context(want_client=True)) as fake:
        yield fake


def fault(read: Read, connection: Connection) -> str:
    with pytest.raises(errors.TlsFailed) as caught:
        read(connection)
    return str(caught.value)


def test_the_right_ca_is_trusted(server: FakeConsul, ours: Authority, read: Read) -> None:
    assert read(Connection("c", server.address, ca_certificate=ours.pem)).value == []


def test_another_ca_is_not(server: FakeConsul, other: Authority, read: Read) -> None:
    text = fault(read, Connection("c", server.address, ca_certificate=other.pem))
    assert "not trusted" in text
    assert "CA that signed" in text
    assert server.asked == []


def test_without_a_ca_the_systems_decide(server: FakeConsul, read: Read) -> None:
    assert "not trusted" in fault(read, Connection("c", server.address))


def test_a_private_ca_does_not_let_public_ones_in(
    server: FakeConsul,
    ours: Authority,
    other: Authority,
    read: Read,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: object,
) -> None:
    bundle = f"{tmp_path}/bundle.pem"
    ours.ca.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", bundle)
    assert "not trusted" in fault(read, Connection("c", server.address, ca_certificate=other.pem))


def test_a_certificate_for_another_name(read: Read) -> None:
    elsewhere = Authority.make("consul.example.com")
    with FakeConsul(elsewhere.context()) as fake:
        connection = Connection("c", fake.address, ca_certificate=elsewhere.pem)
        assert "for another" in fault(read, connection)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_verification_can_be_turned_off(server: FakeConsul, read: Read) -> None:
    assert read(Connection("c", server.address, verify_tls=False)).value == []


def test_a_client_certificate_opens_the_door(
    strict: FakeConsul, ours: Authority, read: Read
) -> None:
    connection = Connection("c", strict.address, ca_certificate=ours.pem)
    assert read(ours.with_client(connection)).value == []


def test_without_a_client_certificate_it_stays_shut(
    strict: FakeConsul, ours: Authority, read: Read
) -> None:
    connection = Connection("c", strict.address, ca_certificate=ours.pem)
    with pytest.raises(TURNED_AWAY, match=r"wants? a client certificate"):
        read(connection)
    assert strict.asked == []


def test_a_strangers_client_certificate_does_not_open_it(
    strict: FakeConsul, ours: Authority, other: Authority, read: Read
) -> None:
    connection = Connection("c", strict.address, ca_certificate=ours.pem)
    with pytest.raises(TURNED_AWAY, match=r"our client certificate|client certificate, or another"):
        read(other.with_client(connection))
    assert strict.asked == []


def test_tls_to_a_server_without(fake: FakeConsul, read: Read) -> None:
    connection = Connection("c", fake.address.replace("http:", "https:"))
    assert "does not speak TLS" in fault(read, connection)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ca_certificate": "no PEM"}, "CA certificate is not a PEM"),
        ({"ca_certificate": "ünicode"}, "CA certificate is not a PEM"),
        ({"client_certificate": "x"}, "belong together"),
        ({"client_key": "x"}, "belong together"),
        ({"client_certificate": "x", "client_key": "y"}, "cannot be used"),
    ],
)
def test_texts_that_are_no_certificates(
    server: FakeConsul, read: Read, fields: dict[str, Any], words: str
) -> None:
    connection = replace(Connection("c", server.address), **fields)
    assert words in fault(read, connection)


def test_a_key_of_another_certificate(
    server: FakeConsul, ours: Authority, other: Authority, read: Read
) -> None:
    mine = ours.with_client(Connection("c", server.address, ca_certificate=ours.pem))
    theirs = other.with_client(mine)
    text = fault(read, replace(mine, client_key=theirs.client_key))
    assert "must be the certificate's" in text
    assert "PRIVATE" not in text


def test_the_connection_test_says_what_is_wrong_with_tls(
    server: FakeConsul, ours: Authority, other: Authority
) -> None:
    def tls(connection: Connection) -> tuple[bool | None, bool | None, str]:
        reachable, found, *_ = probe(connection)
        return reachable.ok, found.ok, found.text

    bad = tls(Connection("c", server.address, ca_certificate=other.pem))
    assert bad[:2] == (True, False)
    assert "not trusted" in bad[2]
    assert tls(Connection("c", server.address, ca_certificate="no PEM"))[:2] == (None, False)
    assert tls(Connection("c", server.address, ca_certificate=ours.pem))[:2] == (True, True)
    assert tls(Connection("c", server.address, verify_tls=False))[:2] == (True, None)
