"""Mail over SMTP: plain, STARTTLS or TLS, with or without a user name."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formataddr
from typing import Any, ClassVar

from django import forms
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from consulops.notifiers import tls
from consulops.notifiers.answers import excerpt
from consulops.notifiers.base import AlertFacts, BlockingKind, Message, SendError
from consulops.notifiers.fields import MailAddressField, RecipientsField
from consulops.notifiers.letter import facts_of, footer, output_of, text_body

_MOST_SUBJECT = 180
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Unlike a browser a mail program has no style of ours to apply.
_STYLE = SafeString(
    "body{font:14px/1.45 sans-serif;color:#212529}h1{font-size:18px}h2{font-size:15px;margin:20px"
    " 0 4px}p{margin:4px 0;color:#5c5f66}pre{background:#f1f3f5;padding:8px;white-space:pre-wrap;"
    "font:13px monospace}a{color:#3b5bdb}.own{white-space:pre-wrap}"
)


class Backend(EmailBackend):
    """Django's SMTP backend with the notifier's own idea of whom to trust."""

    def __init__(self, *, context: ssl.SSLContext, **settings: Any) -> None:
        super().__init__(**settings)
        # Shadows the parent's cached property, which knows only the machine's authorities.
        self.ssl_context = context


class Email(BlockingKind):
    """One mail to all recipients; each retry has the same Message-ID, so that it shows once."""

    name = "email"
    label = "E-mail"
    group = "Mail & push"
    fields: ClassVar[dict[str, forms.Field]] = {
        "host": forms.CharField(label="SMTP server", max_length=255),
        "security": forms.ChoiceField(
            choices=[
                ("starttls", "STARTTLS (port 587)"),
                ("tls", "TLS (port 465)"),
                ("plain", "None: everything can be read on the way (port 25)"),
            ],
            initial="starttls",
        ),
        "port": forms.IntegerField(min_value=1, max_value=65535, initial=587),
        "username": forms.CharField(label="User name", required=False, max_length=255),
        "password": forms.CharField(required=False, max_length=500, strip=False),
        "sender": MailAddressField(label="From", max_length=255),
        "sender_name": forms.CharField(
            label="Sender's name", required=False, max_length=100, initial="ConsulOps"
        ),
        "recipients": RecipientsField(
            label="To", help_text="One address a line, or separated by commas."
        ),
        "mails": forms.ChoiceField(
            label="A mail for",
            choices=[
                ("message", "Each message, with all its alerts"),
                ("node", "Each node"),
                ("alert", "Each alert"),
            ],
            initial="message",
        ),
        "subject_prefix": forms.CharField(
            required=False, max_length=60, help_text="For example [production]."
        ),
        "body_is": forms.ChoiceField(
            label="The body template makes",
            choices=[("text", "Text"), ("html", "HTML: write |e behind each value")],
            initial="text",
        ),
        **tls.FIELDS,
    }
    secret_fields = frozenset({"password"})
    templated = ("subject", "body")

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        if config.get("username") and not config.get("password"):
            return {"password": ["A user name needs a password."]}
        if config.get("password") and not config.get("username"):
            return {"username": ["A password needs a user name."]}
        return {}

    def send(self, message: Message, timeout_s: float) -> str:
        try:
            refused = self._deliver(self.mails(message), timeout_s)
        except smtplib.SMTPException as error:
            if isinstance(error.__context__, TimeoutError):
                raise TimeoutError from None
            raise explain(error) from None
        answer = f"Accepted by {self.config['host']} for "
        answer += ", ".join(one for one in self.config["recipients"] if one not in refused)
        if refused:
            # Not an error: a retry would tell all the others again.
            answer += f"; refused: {_refusals(refused)}"
        return answer

    def mails(self, message: Message) -> list[bytes]:
        """The mails as they go over the wire."""
        return [self._mail(part) for part in split(message, self.config["mails"])]

    def _mail(self, message: Message) -> bytes:
        sender, domain = self.config["sender"], self.config["sender"].rpartition("@")[2]
        headers = {
            "Message-ID": f"<{message.id}@{domain}>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        }
        if len(message.alerts) == 1:
            # Mail programs show all that is said about one alert as one conversation.
            headers["References"] = f"<alert-{message.alerts[0].id}@{domain}>"
        title = self._subject(message)
        text, html = self._bodies(message, title)
        made = EmailMultiAlternatives(
            subject=title,
            body=text,
            from_email=formataddr((self.config["sender_name"] or "", sender)),
            to=self.config["recipients"],
            headers=headers,
        )
        made.attach_alternative(html, "text/html")
        return re.sub(rb"\r?\n", b"\r\n", made.message().as_bytes())

    def _subject(self, message: Message) -> str:
        said = self.wording.subject_of(message, subject(message))
        return excerpt(f"{self.config['subject_prefix'] or ''} {said}", _MOST_SUBJECT)

    def _bodies(self, message: Message, title: str) -> tuple[str, str]:
        """The message as text and as HTML; one of them may be people's own."""
        own = self.body(message, "")
        if not own:
            return text_body(message), html_body(message, title)
        if self.config["body_is"] == "html":
            return text_body(message), _without_controls(own)
        text = _without_controls(own)
        return text, _page(title, format_html('<div class="own">{}</div>', text))

    def _deliver(self, mails: list[bytes], timeout_s: float) -> Mapping[str, tuple[int, bytes]]:
        """Sends the mails; the recipients that the server refused, unless it refused all."""
        refused: dict[str, tuple[int, bytes]] = {}
        backend = self._backend(timeout_s)
        try:
            backend.open()
            if backend.connection is None:
                raise smtplib.SMTPServerDisconnected("no connection")
            for data in mails:
                # Not the backend's own method: it does not tell which recipients were refused.
                refused |= backend.connection.sendmail(
                    self.config["sender"], self.config["recipients"], data
                )
        finally:
            backend.close()
        return refused

    def _backend(self, timeout_s: float) -> Backend:
        return Backend(
            context=tls.chosen(self.config),
            host=self.config["host"],
            port=self.config["port"],
            username=self.config["username"] or "",
            password=self.config["password"] or "",
            use_tls=self.config["security"] == "starttls",
            use_ssl=self.config["security"] == "tls",
            timeout=timeout_s,
        )


def explain(error: smtplib.SMTPException) -> SendError:
    """What the server said, and whether it may say otherwise later (RFC 5321: 4yz and 5yz)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        permanent = all(code >= 500 for code, _ in error.recipients.values())
        return SendError(
            f"Every recipient was refused: {_refusals(error.recipients)}", permanent=permanent
        )
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return SendError("SMTP: the connection was closed before an answer.")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return SendError(f"SMTP: {error}", permanent=True)
    if isinstance(error, smtplib.SMTPResponseException):
        what = {
            smtplib.SMTPAuthenticationError: "SMTP: the server refused the user name and password",
            smtplib.SMTPSenderRefused: "SMTP: the server refused the sender",
        }.get(type(error), "SMTP")
        text = f"{what}: {error.smtp_code} {_text(error.smtp_error)}"
        return SendError(text, permanent=error.smtp_code >= 500)
    return SendError(f"SMTP: {excerpt(str(error))}")


def split(message: Message, by: str) -> list[Message]:
    """The messages of which each becomes a mail, with ids that stay the same on every attempt."""
    parts: dict[str, list[AlertFacts]] = defaultdict(list)
    for alert in message.alerts:
        parts[str(alert.id) if by == "alert" else alert.node].append(alert)
    if by == "message" or len(parts) < 2:
        return [message]
    return [
        replace(message, id=f"{message.id}.{number}", alerts=tuple(alerts))
        for number, alerts in enumerate(parts.values(), start=1)
    ]


def subject(message: Message) -> str:
    """The title, and the states or the cluster, on one line."""
    more = f": {message.counts()}" if len(message.alerts) > 1 else f" ({message.cluster})"
    return excerpt(message.title() + more, _MOST_SUBJECT)


def html_body(message: Message, title: str) -> str:
    """The whole message as HTML; everything that Consul says is escaped."""
    alerts = format_html_join(
        "\n",
        '<h2><a href="{}">{}</a></h2><p>{}</p>{}',
        (
            (alert.url, excerpt(alert.title), facts_of(alert), _html_output(alert))
            for alert in message.worst_first()
        ),
    )
    heading = format_html("<h1>{}</h1>\n", title)
    return _page(title, heading + alerts + format_html("\n<p>{}</p>", footer(message)))


def _page(title: str, inside: SafeString) -> str:
    return format_html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{}</title>'
        "<style>{}</style></head><body>{}</body></html>",
        title,
        _STYLE,
        inside,
    )


def _html_output(alert: AlertFacts) -> str:
    output = output_of(alert)
    return format_html("<pre>{}</pre>", output) if output.strip() else ""


def _without_controls(text: str) -> str:
    """The text without what a mail may not hold."""
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode()


def _refusals(refused: Mapping[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{who} ({code} {_text(why)})" for who, (code, why) in refused.items())


def _text(answer: bytes | str) -> str:
    return excerpt(answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer)
