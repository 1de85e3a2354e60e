"""What holds for every kind that keeps incidents, proved at receivers that keep them as well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import pytest

from consulops.notifiers import sending
from consulops.notifiers.base import AlertFacts, Kind, Message, SendError
from consulops.notifiers.config import from_config
from consulops.notifiers.incidents import IncidentKind, one_line, some_lines
from consulops.notifiers.registry import kinds
from consulops.notifiers.wording import Wording
from tests.notifiers import (
    harness,
    test_alertmanager,
    test_ilert,
    test_opsgenie,
    test_pagerduty,
    test_victorops,
)
from tests.notifiers.conftest import Send
from tests.notifiers.harness import facts, message
from tests.notifiers.products import Product
from tests.receivers import Answer, Request

PRODUCTS: dict[str, type[Product]] = {
    "alertmanager": test_alertmanager.Harness,
    "ilert": test_ilert.Harness,
    "opsgenie": test_opsgenie.Harness,
    "pagerduty": test_pagerduty.Harness,
    "victorops": test_victorops.Harness,
}
# Those that send a request per alert; Alertmanager takes all in one.
ONE_BY_ONE = [name for name, product in PRODUCTS.items() if product.texts_per_alert]
LONG = "x" * 600

# Two checks that are not the same, though much about them is.
TWINS = {
    "checks of one service": ({"check": "http"}, {"check": "tcp"}),
    "instances of one service": ({"service_id": "web-1"}, {"service_id": "web-2"}),
    "one check id on two nodes": ({"node": "n1"}, {"node": "n2"}),
    "one node name in two clusters": ({"cluster": "dc1"}, {"cluster": "dc2"}),
    "of a service and of its node": ({"service_id": "web"}, {"service_id": "", "service": ""}),
    "names with slashes": ({"node": "a/b", "service_id": "c"}, {"node": "a", "service_id": "b/c"}),
    "names with bars": ({"node": "a|b", "service_id": "c"}, {"node": "a", "service_id": "b|c"}),
    "names in unicode": ({"node": "größe"}, {"node": "gröse"}),
    "names in other case": ({"service_id": "Web"}, {"service_id": "web"}),
    "names with spaces": ({"check": "a  b"}, {"check": "a b"}),
    "names with escapes": ({"check": "a%2Fb"}, {"check": "a/b"}),
    "very long names": ({"check": LONG + "a"}, {"check": LONG + "b"}),
    "very long names before others": ({"node": LONG, "check": "a"}, {"node": LONG, "check": "b"}),
    "of our own": (
        {"node": "", "service": "", "service_id": "", "check": "consulops:unreachable"},
        {"node": "", "service": "", "service_id": "", "check": "consulops:no-leader"},
    ),
}


@pytest.fixture(params=PRODUCTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def product(name: str) -> Iterator[Product]:
    with PRODUCTS[name]().running() as product:
        yield product


@pytest.fixture
def tell(name: str, product: Product, send: Send) -> Callable[..., str]:
    """Sends a message about these alerts, whose cluster is that of the first."""

    def tell(*alerts: AlertFacts, reason: str = "opened") -> str:
        one = message(*alerts, reason=reason, cluster=alerts[0].cluster)
        return send(name, product.config, one)

    return tell


def test_every_kind_of_incidents_is_held_by_this() -> None:
    known = {name for name, kind in kinds().items() if issubclass(kind, IncidentKind)}
    assert known <= PRODUCTS.keys()


@pytest.mark.parametrize("twins", TWINS.values(), ids=TWINS)
def test_recovery_closes_exactly_its_own(
    twins: tuple[dict[str, str], dict[str, str]], product: Product, tell: Callable[..., str]
) -> None:
    first, second = (facts(id=number, **twin) for number, twin in enumerate(twins))
    recovered = facts(id=0, status="passing", previous="critical", **twins[0])
    tell(first)
    (of_first,) = product.open
    tell(second)
    assert len(product.open) == 2
    tell(recovered, reason="resolved")
    assert len(product.open) == 1
    assert of_first not in product.open


@pytest.mark.parametrize("status", ["warning", "unknown", "maintenance", ""])
def test_only_a_recovery_closes(status: str, product: Product, tell: Callable[..., str]) -> None:
    tell(facts())
    tell(facts(status=status, previous="critical"), reason="changed")
    assert len(product.open) == 1
    tell(facts(status="passing", previous=status), reason="resolved")
    assert product.open == {}


def test_gone_closes(product: Product, tell: Callable[..., str]) -> None:
    tell(facts(status="warning"))
    tell(facts(status="gone", previous="warning"), reason="resolved")
    assert product.open == {}


@pytest.mark.parametrize("reason", ["reminder", "changed", "escalated", "flapping"])
def test_what_comes_again_is_the_same_incident(
    reason: str, product: Product, tell: Callable[..., str]
) -> None:
    tell(facts())
    tell(facts(output="still refused"), reason=reason)
    assert len(product.open) == 1


def test_flapping_does_not_close_while_it_passes(
    product: Product, tell: Callable[..., str]
) -> None:
    tell(facts())
    tell(facts(status="passing", previous="critical"), reason="flapping")
    assert len(product.open) == 1
    tell(facts(status="passing", previous="critical"), reason="resolved")
    assert product.open == {}


def test_closing_what_is_not_open_is_no_error(product: Product, tell: Callable[..., str]) -> None:
    assert tell(facts(status="passing"), reason="resolved")
    assert product.open == {}


def test_group_opens_and_closes_at_once(product: Product, tell: Callable[..., str]) -> None:
    alerts = [facts(id=number, node=f"n{number}") for number in range(20)]
    tell(*alerts)
    assert len(product.open) == 20
    odd = [facts(id=n, node=f"n{n}", status="passing", previous="critical") for n in (3, 5)]
    tell(*odd, *alerts[6:], reason="changed")
    assert len(product.open) == 18


def test_no_text_is_too_long(product: Product, tell: Callable[..., str]) -> None:
    for text in ("x" * 50_000, "😀" * 20_000, "ü\n" * 20_000, "&\x00\ud83d" * 9_000):
        tell(facts(output=text, name=text, tags=[text] * 90))
    for text in ("x" * 900, "😀" * 900, "ü/" * 900, "&" * 900):
        names = {"node": text, "service": text, "service_id": text, "check": text, "cluster": text}
        tell(facts(**names, tags=[str(number) for number in range(900)]))
        tell(facts(**names, status="passing"), reason="resolved")
    assert len(product.open) == 1


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_test_leaves_nothing_behind(name: str, product: Product, tell: Callable[..., str]) -> None:
    tell(facts())
    before = dict(product.open)
    tell(facts(), reason="test")
    tell(facts(status="passing"), reason="test")
    assert product.open == before
    # It was there for a moment, so that people were told.
    assert len(product.bodies) == 2


def test_secret_is_nowhere_but_in_its_place(
    name: str, product: Product, tell: Callable[..., str]
) -> None:
    tell(facts())
    places = {"routing_key", "integrationKey"}
    (body,) = product.bodies.values()
    rest = str({key: value for key, value in body.items() if key not in places})
    for secret in kinds()[name].secret_fields:
        assert str(product.config[secret]) not in rest


# -- when not everything goes through --


def sent(kind: Kind, one: Message, executor: ThreadPoolExecutor, timeout_s: float = 5) -> str:
    """Sends as the courier does, which keeps the kind between attempts."""

    async def send() -> str:
        async with aiohttp.ClientSession() as http:
            return await sending.send(kind, http, one, timeout_s, executor)

    return asyncio.run(send())


def loaded(name: str, config: dict[str, Any], wording: Wording | None = None) -> Kind:
    settings, secrets = from_config(name, config)
    return kinds()[name]({**settings, **secrets}, wording or Wording())


@pytest.fixture
def group() -> Message:
    return message(*(facts(id=number, node=f"n{number}") for number in range(30)))


@pytest.fixture
def stuck(name: str, product: Product) -> Callable[[Answer], Kind]:
    """The kind, with a product that gives this answer about node n7."""

    def stuck(answer: Answer) -> Kind:
        # Opsgenie separates the parts of its aliases by bars.
        separator = "|" if name == "opsgenie" else "/"
        mark = f"{separator}n7{separator}"

        def decide(request: Request) -> Answer:
            return answer if mark in request.body.decode() else product.answer(request)

        product.server.answer = decide
        return loaded(name, product.config)

    return stuck


@pytest.mark.parametrize("name", ONE_BY_ONE)
@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        (Answer(503, "try later"), False),
        (Answer(400, "odd"), True),
        (Answer(hang_up=True), False),
    ],
    ids=["503", "400", "hangs up"],
)
def test_error_of_one_stops_no_other(
    answer: Answer,
    permanent: bool,
    group: Message,
    product: Product,
    stuck: Callable[[Answer], Kind],
    executor: ThreadPoolExecutor,
) -> None:
    with pytest.raises(SendError, match=r"^29 of 30 incidents went through") as caught:
        sent(stuck(answer), group, executor)
    assert caught.value.permanent is permanent
    assert len(product.open) == 29


@pytest.mark.parametrize("name", ["pagerduty"])
def test_silence_of_one_stops_no_other(
    group: Message,
    product: Product,
    stuck: Callable[[Answer], Kind],
    executor: ThreadPoolExecutor,
) -> None:
    with pytest.raises(SendError, match=r"^29 of 30 .* timed out after 2 s"):
        sent(stuck(Answer(hang=True)), group, executor, timeout_s=2)
    assert len(product.open) == 29


@pytest.mark.parametrize("name", ["pagerduty"])
def test_silence_of_all_leaves_no_request_behind(
    name: str, group: Message, product: Product, executor: ThreadPoolExecutor
) -> None:
    product.behave(harness.HANG)
    # More than may be under way at a time: a request whose turn never came would be warned of.
    with pytest.raises(SendError, match=r"^0 of 30 incidents went through\."):
        sent(loaded(name, product.config), group, executor, timeout_s=0.3)


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_next_attempt_goes_on_where_the_last_one_ended(
    group: Message,
    product: Product,
    stuck: Callable[[Answer], Kind],
    executor: ThreadPoolExecutor,
) -> None:
    kind = stuck(Answer(429, "slow down", {"Retry-After": "7"}))
    for _ in range(2):
        with pytest.raises(SendError, match=r"^29 of 30 incidents") as caught:
            sent(kind, group, executor)
        assert caught.value.retry_after_s == 7
    assert len(product.server.requests) == 31
    product.behave(harness.ACCEPT)
    assert sent(kind, group, executor).startswith("30 incidents: HTTP 20")
    assert len(product.server.requests) == 1
    assert len(product.open) == 30
    # Told in full, so a message of the same id begins anew.
    sent(kind, group, executor)
    assert len(product.server.requests) == 31


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_next_attempt_elsewhere_begins_anew_and_does_no_harm(
    name: str,
    group: Message,
    product: Product,
    stuck: Callable[[Answer], Kind],
    executor: ThreadPoolExecutor,
) -> None:
    with pytest.raises(SendError):
        sent(stuck(Answer(503)), group, executor)
    product.behave(harness.ACCEPT)
    sent(loaded(name, product.config), group, executor)
    assert len(product.server.requests) == 30
    assert len(product.open) == 30


def test_own_words(name: str, product: Product, executor: ThreadPoolExecutor) -> None:
    wording = Wording("{{ alert.node }} is ill", "Call {{ alerts|length }} doctor")
    kind = loaded(name, product.config, wording)
    sent(kind, message(facts(), facts(id=13, node="n2")), executor)
    bodies = sorted(map(str, product.bodies.values()))
    # Each incident is worded by itself.
    for body, node in zip(bodies, ("n1", "n2"), strict=True):
        assert f"{node} is ill" in body
        assert "Call 1 doctor" in body


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("short", "short"),
        ("12345678", "12345678"),
        ("123456789", "1234567…"),
        ("😀😀😀😀", "😀😀😀😀"),
        ("😀😀😀😀😀", "😀😀😀…"),
        ("a\n\tb\x00", "a b"),
    ],
)
def test_one_line(text: str, expected: str) -> None:
    assert one_line(text, 8) == expected


def test_some_lines_keep_their_ends() -> None:
    assert some_lines("\none \x00two\n\nthree\n", 100) == "one two\n\nthree"
    assert some_lines("one\n" * 100, 9) == "one\none\n…"
