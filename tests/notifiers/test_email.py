"""E-mail: a real SMTP server, with and without TLS and a login, and what a mail looks like."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from typing import Any, Self

import pytest
import trustme

from consulops.notifiers.base import SendError
from consulops.notifiers.config import ConfigError, from_config
from consulops.notifiers.kinds.email import Email
from consulops.notifiers.wording import Wording
from tests.notifiers import harness
from tests.notifiers.conftest import Send
from tests.notifiers.harness import DELIVERY, facts, message, pem, server_context
from tests.receivers import Mail, MailReceiver

LOGIN = ("alerts", "s3cr3t-of-the-mailer")
FROM, TO = "alerts@example.org", "oncall@example.org"


class Harness(harness.Harness):
    cases = frozenset({harness.REFUSE, harness.BREAK, harness.HANG, harness.HANG_UP})
    server: MailReceiver

    @contextmanager
    def running(self, tls: ssl.SSLContext | None = None) -> Iterator[Self]:
        self.tls = tls
        with MailReceiver(starttls=tls, login=LOGIN) as self.server:
            yield self

    @property
    def config(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "security": "starttls" if self.tls else "plain",
            "username": LOGIN[0],
            "password": LOGIN[1],
            "sender": FROM,
            "recipients": [TO],
        }

    def unreachable(self, port: int) -> dict[str, Any]:
        return {**self.config, "port": port}

    def behave(self, case: str) -> None:
        self.server.hang = case == harness.HANG
        self.server.hang_up = case == harness.HANG_UP
        self.server.on_data = {
            harness.REFUSE: f"554 no mail from {LOGIN[0]} with {LOGIN[1]}",
            harness.BREAK: "451 come back later",
        }.get(case, "250 OK")

    def received(self) -> list[str]:
        return [f"{mail.parsed['Subject']}\n{mail.part('plain')}" for mail in self.server.mails]


@pytest.fixture
def server() -> Iterator[MailReceiver]:
    with MailReceiver() as server:
        yield server


def settings_of(server: MailReceiver, **changes: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "security": "plain",
        "sender": FROM,
        "recipients": TO,
        **changes,
    }


def sent(server: MailReceiver) -> Mail:
    (mail,) = server.mails
    return mail


def test_mail_has_what_a_mail_needs(server: MailReceiver, send: Send) -> None:
    answer = send("email", settings_of(server), message())
    assert answer == f"Accepted by 127.0.0.1 for {TO}"
    mail = sent(server)
    assert (mail.sender, mail.recipients, mail.user) == (FROM, [TO], None)
    parsed = mail.parsed
    assert parsed["Subject"] == "CRITICAL web on n1: HTTP (dc1)"
    assert parsed["From"] == f"ConsulOps <{FROM}>"
    assert parsed["To"] == TO
    assert parsed["Message-ID"] == f"<{DELIVERY}@example.org>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(parsed["Date"])
    assert parsed.get_content_type() == "multipart/alternative"


def test_retry_has_the_same_message_id(server: MailReceiver, send: Send) -> None:
    send("email", settings_of(server), message())
    send("email", settings_of(server), message())
    first, second = server.mails
    assert first.parsed["Message-ID"] == second.parsed["Message-ID"]


def test_mails_about_one_alert_are_one_conversation(server: MailReceiver, send: Send) -> None:
    send("email", settings_of(server), message())
    send("email", settings_of(server), message(id="another", reason="resolved"))
    first, second = server.mails
    assert first.parsed["References"] == second.parsed["References"] == "<alert-12@example.org>"


def test_text_is_not_escaped_and_html_is(server: MailReceiver, send: Send) -> None:
    evil = facts(name="<script>alert(1)</script>", output='say "hi" <b> & x', url="http://h/?a&b")
    send("email", settings_of(server), message(evil))
    mail = sent(server)
    assert "<script>alert(1)</script>" in mail.parsed["Subject"]
    assert 'say "hi" <b> & x' in mail.part("plain")
    page = mail.part("html")
    assert "<script" not in page
    assert "say &quot;hi&quot; &lt;b&gt; &amp; x" in page
    assert 'href="http://h/?a&amp;b"' in page
    # The style is ours: it must arrive as it is.
    assert "font:14px/1.45 sans-serif" in page


def test_subject_in_any_language_is_one_encoded_header(server: MailReceiver, send: Send) -> None:
    name = "Prüfung 日本語 \r\nBcc: evil@example.org " + "x" * 300
    send("email", settings_of(server), message(facts(name=name)))
    mail = sent(server)
    assert mail.raw.partition(b"\r\n\r\n")[0].isascii()
    assert "Prüfung 日本語 Bcc: evil@example.org" in mail.parsed["Subject"]
    assert mail.parsed["Bcc"] is None
    assert mail.recipients == [TO]


def test_hundred_alerts_are_counted_in_the_subject(server: MailReceiver, send: Send) -> None:
    alerts = [facts(id=n, status="warning", node=f"node-{n}") for n in range(99)]
    send("email", settings_of(server), message(*alerts, facts()))
    mail = sent(server)
    assert mail.parsed["Subject"] == "100 alerts in dc1: 1 critical, 99 warning"
    assert all(f"node-{n}" in mail.part("plain") for n in range(99))
    assert mail.part("html").count("<h2>") == 100


@pytest.mark.parametrize("security", ["plain", "starttls", "tls"])
@pytest.mark.parametrize("login", [None, LOGIN])
def test_every_way_to_a_server(
    security: str, login: tuple[str, str] | None, authority: trustme.CA, send: Send
) -> None:
    context = None if security == "plain" else server_context(authority)
    ways = {"tls": {"tls": context}, "starttls": {"starttls": context}, "plain": {}}[security]
    with MailReceiver(login=login, **ways) as server:
        config = settings_of(server, security=security, ca_certificate=pem(authority))
        if login:
            config |= {"username": login[0], "password": login[1]}
        send("email", config, message())
        assert sent(server).user == (login[0] if login else None)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_untrusted_server_gets_no_password(
    security: str, authority: trustme.CA, send: Send
) -> None:
    context = server_context(authority)
    with MailReceiver(**{security: context}, login=LOGIN) as server:
        config = settings_of(server, security=security, username=LOGIN[0], password=LOGIN[1])
        with pytest.raises(SendError, match="not trusted"):
            send("email", config, message())
        assert server.logins == []


def test_wrong_password_is_permanent(send: Send) -> None:
    with MailReceiver(login=LOGIN) as server:
        config = settings_of(server, username=LOGIN[0], password="wr0ng-pass")
        with pytest.raises(SendError, match="refused the user name and password: 535") as caught:
            send("email", config, message())
    assert caught.value.permanent
    assert "wr0ng-pass" not in caught.value.text


def test_starttls_that_is_not_offered_is_permanent(server: MailReceiver, send: Send) -> None:
    with pytest.raises(SendError, match="STARTTLS") as caught:
        send("email", settings_of(server, security="starttls"), message())
    assert caught.value.permanent
    assert server.mails == []


def test_login_that_is_not_offered_is_permanent(server: MailReceiver, send: Send) -> None:
    config = settings_of(server, username=LOGIN[0], password=LOGIN[1])
    with pytest.raises(SendError, match="AUTH") as caught:
        send("email", config, message())
    assert caught.value.permanent


def test_tls_to_a_plain_server(server: MailReceiver, send: Send) -> None:
    with pytest.raises(SendError, match=r"^TLS: ") as caught:
        send("email", settings_of(server, security="tls"), message())
    assert not caught.value.permanent


def test_one_refused_recipient_does_not_hold_back_the_others(
    server: MailReceiver, send: Send
) -> None:
    server.on_recipient = {"gone@example.org": "550 no such user"}
    config = settings_of(server, recipients=["gone@example.org", TO])
    answer = send("email", config, message())
    assert answer == f"Accepted by 127.0.0.1 for {TO}; refused: gone@example.org (550 no such user)"
    assert sent(server).recipients == [TO]


@pytest.mark.parametrize(("reply", "permanent"), [("550 no", True), ("450 later", False)])
def test_all_recipients_refused(
    reply: str, permanent: bool, server: MailReceiver, send: Send
) -> None:
    server.on_recipient = {TO: reply}
    with pytest.raises(SendError, match="Every recipient was refused") as caught:
        send("email", settings_of(server), message())
    assert caught.value.permanent is permanent


def test_silence_of_the_server_is_called_a_timeout(server: MailReceiver) -> None:
    """Whichever notices it first: the socket here, or the clock of the caller."""
    server.hang = True
    settings, secrets = from_config("email", settings_of(server))
    with pytest.raises(TimeoutError):
        Email({**settings, **secrets}).send(message(), 0.2)


def test_recipients_in_every_form() -> None:
    for given in ("a@x.org, b@x.org", "a@x.org\nb@x.org\na@x.org", ["a@x.org", "b@x.org"]):
        config, _ = from_config("email", {"host": "h", "sender": FROM, "recipients": given})
        assert config["recipients"] == ["a@x.org", "b@x.org"]


def test_domain_goes_over_the_wire_in_ascii() -> None:
    config, _ = from_config(
        "email", {"host": "h", "sender": "a@bücher.example", "recipients": "b@bücher.example"}
    )
    assert config["sender"] == "a@xn--bcher-kva.example"
    assert config["recipients"] == ["b@xn--bcher-kva.example"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"recipients": ""}, "recipients"),
        ({"recipients": "nobody"}, "recipients"),
        ({"recipients": ["a@x.org", "x\r\nBcc: y@x.org"]}, "recipients"),
        ({"sender": "x"}, "sender"),
        ({"port": 70000}, "port"),
        ({"security": "maybe"}, "security"),
        ({"ca_certificate": "-----BEGIN CERTIFICATE-----\nx"}, "ca_certificate"),
        ({"username": "u"}, "password"),
        ({"password": "p"}, "username"),
        ({"verify_tls": "no"}, "verify_tls"),
        ({"host": ["a"]}, "host"),
    ],
)
def test_settings_that_cannot_be_used(changes: dict[str, Any], field: str) -> None:
    config = {"host": "h", "sender": FROM, "recipients": TO, **changes}
    with pytest.raises(ConfigError) as caught:
        from_config("email", config)
    assert list(caught.value.errors) == [field]


def test_long_message_id_is_left_in_one_piece() -> None:
    sender = f"a@{'long.' * 20}example.org"
    settings, _ = from_config("email", {"host": "h", "sender": sender, "recipients": TO})
    (raw,) = Email(settings).mails(message())
    parsed = message_from_bytes(raw, policy=policy.default)
    assert parsed["Message-ID"].strip() == f"<{DELIVERY}@{'long.' * 20}example.org>"


THREE = (facts(id=1), facts(id=2, node="n2"), facts(id=3, status="warning"))


@pytest.mark.parametrize(
    ("mails", "subjects"),
    [
        ("message", ["3 alerts in dc1: 2 critical, 1 warning"]),
        ("node", ["2 alerts in dc1: 1 critical, 1 warning", "CRITICAL web on n2: HTTP (dc1)"]),
        (
            "alert",
            [
                "CRITICAL web on n1: HTTP (dc1)",
                "CRITICAL web on n2: HTTP (dc1)",
                "WARNING web on n1: HTTP (dc1)",
            ],
        ),
    ],
)
def test_mails_of_one_message(
    mails: str, subjects: list[str], server: MailReceiver, send: Send
) -> None:
    send("email", settings_of(server, mails=mails), message(*THREE))
    send("email", settings_of(server, mails=mails), message(*THREE))
    assert [one.parsed["Subject"] for one in server.mails] == subjects * 2
    ids = [one.parsed["Message-ID"] for one in server.mails]
    # Different within the message, the same on each attempt.
    assert len(set(ids)) == len(subjects)
    assert ids[: len(subjects)] == ids[len(subjects) :]


def test_one_alert_is_one_mail_with_the_id_of_the_delivery(
    server: MailReceiver, send: Send
) -> None:
    send("email", settings_of(server, mails="alert"), message())
    assert sent(server).parsed["Message-ID"] == f"<{DELIVERY}@example.org>"


def test_prefix_and_senders_name(server: MailReceiver, send: Send) -> None:
    config = settings_of(server, subject_prefix="[prod]", sender_name="Wächter, \r\nBcc: x@y.org")
    send("email", config, message())
    parsed = sent(server).parsed
    assert parsed["Subject"] == "[prod] CRITICAL web on n1: HTTP (dc1)"
    assert parsed["From"].addresses[0].addr_spec == FROM
    assert "Wächter" in parsed["From"].addresses[0].display_name
    assert parsed["Bcc"] is None


def test_own_words_as_text(server: MailReceiver, send: Send) -> None:
    wording = Wording("{{ cluster }}:\n {{ counts }}", "{{ alert.name }} <b>\n{{ alert.output }}\n")
    send("email", settings_of(server), message(facts(output="a\x00 & b")), wording=wording)
    mail = sent(server)
    assert mail.parsed["Subject"] == "dc1: 1 critical"
    assert mail.part("plain").splitlines() == ["HTTP <b>", "a & b"]
    assert "HTTP &lt;b&gt;\r\na &amp; b" in mail.part("html")


def test_own_words_as_html_leave_the_text(server: MailReceiver, send: Send) -> None:
    wording = Wording(body="<p><b>{{ alert.output|e }}</b></p>")
    config = settings_of(server, body_is="html")
    send("email", config, message(facts(output="<i>")), wording=wording)
    mail = sent(server)
    assert mail.part("html").strip() == "<p><b>&lt;i&gt;</b></p>"
    assert "CRITICAL web on n1: HTTP" in mail.part("plain")


def test_own_words_are_made_of_each_mail_apart(server: MailReceiver, send: Send) -> None:
    wording = Wording("{{ alerts|length }} on {{ alert.node }}", "")
    send("email", settings_of(server, mails="node"), message(*THREE), wording=wording)
    assert [one.parsed["Subject"] for one in server.mails] == ["2 on n1", "1 on n2"]
