""" "Test connection": the real answer, for every way in which it can go wrong."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.fernet import Fernet
from django.test import Client
from pytest_django import Settings

from consulops.clusters.models import Cluster
from consulops.lab.cluster import LocalCluster
from tests.clusters.things import TOKEN, make_cluster
from tests.fake_consul import GARBAGE, FakeConsul, half, redirect, web_page

PAGE = "/clusters/test/"


def press(client: Client, address: str, page: str = PAGE, **more: str) -> dict[str, str]:
    """Presses the button; the findings by name, each beginning with its word."""
    form = {"name": "dc1", "address": address, "colour": "grey", "verify_tls": "on"} | more
    response = client.post(page, form, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert "<html" not in response.content.decode()
    words = {True: "Good", False: "Bad", None: "Not known"}
    findings = response.context["findings"]
    for finding in findings:
        assert words[finding.ok] in response.content.decode()
    return {one.name: f"{words[one.ok]}: {one.text}" for one in findings}


@pytest.fixture
def fake() -> Iterator[FakeConsul]:
    with FakeConsul() as server:
        yield server


@pytest.mark.parametrize(
    ("who", "status"),
    [("as_admin", 200), ("as_operator", 403), ("as_viewer", 403), ("stranger", 302)],
)
def test_who_may_use_it(
    request: pytest.FixtureRequest, who: str, status: int, fake: FakeConsul
) -> None:
    client: Client = request.getfixturevalue(who)
    form = {"address": fake.address, "colour": "grey"}
    assert client.post(PAGE, form, headers={"HX-Request": "true"}).status_code == status
    assert bool(fake.asked) is (status == 200)


def test_it_is_never_done_by_following_a_link(as_admin: Client) -> None:
    assert as_admin.get(PAGE).status_code == 405


@pytest.mark.consul
def test_all_is_well(as_admin: Client, consul: LocalCluster) -> None:
    found = press(as_admin, consul.address, datacenter="dc1")
    assert not [text for text in found.values() if text.startswith("Bad")]
    assert found["Datacenter"] == "Good: dc1, as entered."
    assert not Cluster.objects.exists()


@pytest.mark.consul
def test_a_wrong_datacenter(as_admin: Client, consul: LocalCluster) -> None:
    found = press(as_admin, consul.address, datacenter="nowhere")
    assert found["Datacenter"].startswith("Bad: No path to nowhere. The agent knows: dc1.")


@pytest.mark.consul
def test_what_a_token_lacks_and_a_wrong_one(as_admin: Client, consul_binary: Path) -> None:
    with LocalCluster(consul_binary, acl=True) as cluster:
        good = press(as_admin, cluster.address, token=cluster.token)
        powerless = cluster.call("PUT", "acl/token", {})["SecretID"]
        weak = press(as_admin, cluster.address, token=powerless)
        wrong = press(as_admin, cluster.address, token=TOKEN)
    assert good["service:read"].startswith("Good")
    assert weak["Token"].startswith("Good")
    assert weak["service:read"].startswith("Bad: The token lacks service:read")
    assert wrong["Token"].startswith("Bad: The cluster does not know this token")
    assert TOKEN not in str(wrong)


def test_nobody_listens(as_admin: Client) -> None:
    found = press(as_admin, "http://127.0.0.1:1")
    assert found["Reachable"].startswith("Bad: Nobody listens there: connection refused.")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (web_page(), "web page"),
        (redirect("http://elsewhere.example/"), "redirects"),
        (GARBAGE, "JSON"),
        (half({"Config": {"Version": "1"}}), "broke off"),
    ],
    ids=["web page", "redirect", "garbage", "half"],
)
def test_something_else_answers(
    as_admin: Client, fake: FakeConsul, answer: object, message: str
) -> None:
    fake.say(answer)  # type: ignore[arg-type]  # parametrize loses the type
    found = press(as_admin, fake.address, token=TOKEN)
    assert message in found["Consul"]
    assert found["Consul"].startswith("Bad")
    assert TOKEN not in str(found)


def test_a_certificate_of_an_unknown_ca(as_admin: Client) -> None:
    ca, other = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with FakeConsul(tls=context) as fake:
        wrong = other.cert_pem.bytes().decode()
        assert press(as_admin, fake.address, ca_certificate=wrong)["TLS"].startswith("Bad")
        right = ca.cert_pem.bytes().decode()
        assert press(as_admin, fake.address, ca_certificate=right)["TLS"].startswith("Good")


def test_the_kept_token_is_used_and_a_typed_one_goes_before_it(
    as_admin: Client, fake: FakeConsul
) -> None:
    page = f"/clusters/{make_cluster(token=TOKEN).pk}/test/"
    press(as_admin, fake.address, page)
    assert {one.headers["X-Consul-Token"] for one in fake.asked} == {TOKEN}
    fake.asked.clear()
    press(as_admin, fake.address, page, token="typed")
    assert {one.headers["X-Consul-Token"] for one in fake.asked} == {"typed"}
    assert Cluster.objects.get().token == TOKEN


def test_a_kept_token_that_no_key_opens(as_admin: Client, settings: Settings) -> None:
    page = f"/clusters/{make_cluster(token=TOKEN).pk}/test/"
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    found = press(as_admin, "http://127.0.0.1:1", page)
    assert "CONSULOPS_ENCRYPTION_KEYS" in found["Kept secrets"]


def test_what_cannot_be_tried_is_said(as_admin: Client) -> None:
    form = {"address": "http://u:p@h", "token": "a b", "colour": "grey"}
    page = as_admin.post(PAGE, form, headers={"HX-Request": "true"}).content.decode()
    assert "Not tried" in page
    assert "Address: The address contains a user name" in page
    assert "ACL token: The token holds a space" in page


def test_without_a_name_it_can_be_tried(as_admin: Client, fake: FakeConsul) -> None:
    press(as_admin, fake.address, name="")
    assert fake.asked


def test_without_scripts_the_whole_page_comes_with_what_was_typed(
    as_admin: Client, fake: FakeConsul
) -> None:
    fake.say(web_page())
    form = {"name": "typed-name", "address": fake.address, "token": TOKEN, "colour": "grey"}
    page = as_admin.post(PAGE, form).content.decode()
    assert "<html" in page
    assert 'value="typed-name"' in page
    assert "web page" in page
    assert TOKEN not in page
    assert "Enter it again" in page
