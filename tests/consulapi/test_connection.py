"""Addresses and connections: what is accepted, and the sentence for what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consulops.consulapi import Address, BadAddress, Connection, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://127.0.0.1:8500", Address("http", "127.0.0.1", 8500)),
        ("http://consul", Address("http", "consul", 8500)),
        ("https://consul.example.com", Address("https", "consul.example.com", 8501)),
        ("HTTPS://Consul.Example.com:443/", Address("https", "consul.example.com", 443)),
        ("http://[::1]:8500", Address("http", "::1", 8500)),
        ("https://[2001:DB8::1]", Address("https", "2001:db8::1", 8501)),
        ("http://consul_1.node.dc1.consul.", Address("http", "consul_1.node.dc1.consul.", 8500)),
    ],
)
def test_addresses_that_are_accepted(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("127.0.0.1:8500", "no scheme"),
        ("localhost", "no scheme"),
        ("//localhost:8500", "no scheme"),
        ("ftp://localhost", "“ftp” is not supported"),
        ("unix:///run/consul.sock", "“unix” is not supported"),
        ("http://localhost:8500/v1", "has a path"),
        ("http://localhost:8500//", "has a path"),
        ("http://localhost:8500?dc=dc1", "has a query"),
        ("http://localhost:8500?", "has a query"),
        ("http://localhost:8500#x", "has a query or a fragment"),
        ("http://user@localhost:8500", "user name"),
        ("http://user:secret@localhost:8500", "user name"),
        ("http://user:se/cret@localhost:8500", "user name"),
        (" http://localhost:8500", "spaces"),
        ("http://local host:8500", "spaces"),
        ("http://localhost:8500\n", "spaces"),
        ("http://local\x00host:8500", "invisible"),
        ("http://", "no host name"),
        ("http://:8500", "no host name"),
        ("http://localhost:", "port"),
        ("http://localhost:0", "port"),
        ("http://localhost:65536", "port"),
        ("http://localhost:http", "port"),
        ("http://localhost:-1", "port"),
        ("http://localhost:٨", "port"),
        ("http://::1:8500", "in brackets"),
        ("http://[::1", "do not hold an IPv6"),
        ("http://[::g]:8500", "do not hold an IPv6"),
        ("http://[127.0.0.1]:8500", "do not hold an IPv6"),
        ("http://[::1]8500", "after the brackets"),
        ("http://-consul", "character"),
        ("http://con$ul", "character"),
        ("http://con%73ul", "character"),
        ("http://a\\b", "character"),
    ],
)
def test_one_clear_sentence_per_fault(text: str, words: str) -> None:
    with pytest.raises(BadAddress, match=words) as caught:
        parse_address(text)
    assert "secret" not in str(caught.value)


@given(st.text())
def test_any_text_is_an_address_or_a_bad_one(text: str) -> None:
    for candidate in (text, f"http://{text}", f"http://[{text}]:1"):
        try:
            address = parse_address(candidate)
        except BadAddress:
            continue
        assert parse_address(str(address)) == address


def test_secrets_are_not_in_the_repr() -> None:
    connection = Connection(
        "dc1", "http://x", token="s3cret", client_certificate="PEM-C", client_key="PEM-K"
    )
    assert "s3cret" not in repr(connection)
    assert "PEM" not in repr(connection)
