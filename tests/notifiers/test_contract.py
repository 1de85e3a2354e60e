"""What every kind of notifier must do, asked of each with a real receiver.

A kind brings its receiver as the class `Harness` in its own test file, `test_<kind>.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest
import trustme

from consulops.notifiers.base import SendError
from consulops.notifiers.registry import kinds
from tests.notifiers import harness as cases
from tests.notifiers.conftest import Send
from tests.notifiers.harness import Harness, facts, message, pem, server_context
from tests.receivers import free_port


def harness_of(name: str) -> Harness:
    made = import_module(f"tests.notifiers.test_{name.replace('-', '_')}").Harness()
    assert isinstance(made, Harness)
    return made


# A service that ended takes no message; its own test says what it does instead.
KINDS = sorted(name for name, kind in kinds().items() if not kind.ended)
CONNECTING = [name for name in KINDS if harness_of(name).connects]
SPEAKING_TLS = [name for name in KINDS if harness_of(name).speaks_tls]


def playing(case: str) -> list[str]:
    """The kinds whose receiver can play this case."""
    return [name for name in KINDS if case in harness_of(name).cases]


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def receiver(name: str) -> Iterator[Harness]:
    with harness_of(name).running() as receiver:
        yield receiver


def secrets_of(name: str, receiver: Harness) -> list[str]:
    """Every secret text of the receiver's settings."""
    found: list[str] = []
    for one in kinds()[name].secret_fields:
        value = receiver.config.get(one, "")
        found += value.values() if isinstance(value, dict) else [value]
    return found


def failure(send: Send, name: str, receiver: Harness, **options: float) -> SendError:
    """The error of a message that must fail; no secret may be anywhere in it."""
    with pytest.raises(SendError) as caught:
        send(name, receiver.config, message(), **options)
    error = caught.value
    assert error.text == str(error)
    assert "\n" not in error.text
    for secret in secrets_of(name, receiver):
        assert secret not in error.text
    # A traceback in a log must not tell either.
    assert error.__suppress_context__
    assert error.__cause__ is None
    return error


@pytest.mark.parametrize("name", KINDS, indirect=True)
def test_settings_of_the_harness_set_every_secret(name: str, receiver: Harness) -> None:
    assert kinds()[name].secret_fields <= receiver.config.keys()


@pytest.mark.parametrize("name", KINDS, indirect=True)
def test_message_arrives(name: str, receiver: Harness, send: Send) -> None:
    answer = send(name, receiver.config, message())
    assert answer
    (text,) = receiver.received()
    for word in ("web", "n1", "HTTP", "connection refused", "http://consulops.test/alerts/12/"):
        assert word in text
    assert "critical" in text.lower()


@pytest.mark.parametrize("name", KINDS, indirect=True)
def test_answer_holds_no_secret(name: str, receiver: Harness, send: Send) -> None:
    answer = send(name, receiver.config, message())
    for secret in secrets_of(name, receiver):
        assert secret not in answer


@pytest.mark.parametrize("name", playing(cases.REFUSE), indirect=True)
def test_refusal_is_permanent(name: str, receiver: Harness, send: Send) -> None:
    receiver.behave(cases.REFUSE)
    error = failure(send, name, receiver)
    assert error.permanent
    assert receiver.received() == []


@pytest.mark.parametrize("name", playing(cases.BUSY), indirect=True)
def test_busy_receiver_says_when_to_come_back(name: str, receiver: Harness, send: Send) -> None:
    receiver.behave(cases.BUSY)
    error = failure(send, name, receiver)
    assert not error.permanent
    assert error.retry_after_s == 7


@pytest.mark.parametrize("name", playing(cases.BREAK), indirect=True)
def test_broken_receiver_is_tried_again(name: str, receiver: Harness, send: Send) -> None:
    receiver.behave(cases.BREAK)
    error = failure(send, name, receiver)
    assert not error.permanent
    receiver.behave(cases.ACCEPT)
    send(name, receiver.config, message())
    assert len(receiver.received()) == 1


@pytest.mark.parametrize("name", playing(cases.HANG), indirect=True)
def test_silence_ends_at_the_timeout(name: str, receiver: Harness, send: Send) -> None:
    receiver.behave(cases.HANG)
    error = failure(send, name, receiver, timeout_s=0.3)
    assert not error.permanent
    assert error.text == "No answer: timed out after 0.3 s."


@pytest.mark.parametrize("name", playing(cases.REDIRECT), indirect=True)
def test_redirect_is_not_followed(name: str, receiver: Harness, send: Send) -> None:
    receiver.behave(cases.REDIRECT)
    error = failure(send, name, receiver)
    assert error.permanent
    assert "use the final address" in error.text


@pytest.mark.parametrize("name", playing(cases.HANG_UP), indirect=True)
def test_cut_connection_is_tried_again(name: str, receiver: Harness, send: Send) -> None:
    receiver.behave(cases.HANG_UP)
    error = failure(send, name, receiver)
    assert not error.permanent
    assert "closed before an answer" in error.text


@pytest.mark.parametrize("name", CONNECTING, indirect=True)
def test_refused_connection_is_tried_again(name: str, receiver: Harness, send: Send) -> None:
    config = receiver.unreachable(free_port())
    with pytest.raises(SendError, match="Connection refused") as caught:
        send(name, config, message())
    assert not caught.value.permanent


@pytest.mark.parametrize("name", SPEAKING_TLS, indirect=True)
def test_untrusted_certificate_is_named(name: str, authority: trustme.CA, send: Send) -> None:
    with harness_of(name).running(server_context(authority)) as receiver:
        error = failure(send, name, receiver)
        assert not error.permanent
        assert error.text.startswith("TLS: the certificate is not trusted")
        assert receiver.received() == []


@pytest.mark.parametrize("name", SPEAKING_TLS, indirect=True)
def test_own_authority_is_trusted(name: str, authority: trustme.CA, send: Send) -> None:
    if "ca_certificate" not in kinds()[name].fields:
        return
    with harness_of(name).running(server_context(authority)) as receiver:
        send(name, {**receiver.config, "ca_certificate": pem(authority)}, message())
        send(name, {**receiver.config, "verify_tls": False}, message())
        assert len(receiver.received()) == 2


@pytest.mark.parametrize("name", KINDS, indirect=True)
def test_odd_text_arrives(name: str, receiver: Harness, send: Send) -> None:
    odd = facts(
        service="prüfung/€",
        name="日本語 <script>alert(1)</script>",
        output="a\x00b \ud800 😀 <b>&amp; ``` \x1b[31m\r\n.\r\nQUIT",
    )
    send(name, receiver.config, message(odd))
    (text,) = receiver.received()
    assert "prüfung/€" in text
    assert "日本語 <script>alert(1)</script>" in text
    assert "😀 <b>&amp;" in text
    assert "QUIT" in text


@pytest.mark.parametrize("name", KINDS, indirect=True)
def test_hundred_alerts_are_one_message(name: str, receiver: Harness, send: Send) -> None:
    alerts = [facts(id=number, node=f"node-{number}", status="warning") for number in range(99)]
    worst = facts(id=99, node="node-worst", output="x" * 20_000)
    send(name, receiver.config, message(*alerts, worst))
    texts = receiver.received()
    assert len(texts) == (100 if receiver.texts_per_alert else 1)
    assert "node-worst" in texts[0]


@pytest.mark.parametrize("name", KINDS, indirect=True)
@pytest.mark.parametrize(
    "reason", ["changed", "resolved", "reminder", "flapping", "escalated", "test"]
)
def test_every_reason_can_be_sent(name: str, reason: str, receiver: Harness, send: Send) -> None:
    for status in ("passing", "gone", "unknown", "maintenance", ""):
        alert = facts(status=status, service="", service_id="", tags=[], output="", previous="")
        send(name, receiver.config, message(alert, reason=reason, route=""))
    assert len(receiver.received()) == 5
