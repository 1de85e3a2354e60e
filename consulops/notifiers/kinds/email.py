"""Mail over SMTP: plain, STARTTLS or TLS, with or without a user name."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Mapping
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
from consulops.notifiers.fields import CertificateField, MailAddressField, RecipientsField

_MOST_SUBJECT = 180
_MOST_OUTPUT = 4000
# Unlike a browser a mail program has no style of ours to apply.
_STYLE = SafeString(
    "body{font:14px/1.45 sans-serif;color:#212529}h1{font-size:18px}h2{font-size:15px;margin:20px"
    " 0 4px}p{margin:4px 0;color:#5c5f66}pre{background:#f1f3f5;padding:8px;white-space:pre-wrap;"
    "font:13px monospace}a{color:#3b5bdb}"
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
        "recipients": RecipientsField(
            label="To", help_text="One address a line, or separated by commas."
        ),
        "verify_tls": forms.BooleanField(
            label="Verify the server's certificate", required=False, initial=True
        ),
        "ca_certificate": CertificateField(
            label="CA certificate",
            required=False,
            help_text="PEM; for a server whose authority this machine does not know.",
        ),
    }
    secret_fields = frozenset({"password"})

    @classmethod
    def problems(cls, config: Mapping[str, Any]) -> dict[str, list[str]]:
        if config.get("username") and not config.get("password"):
            return {"password": ["A user name needs a password."]}
        if config.get("password") and not config.get("username"):
            return {"username": ["A password needs a user name."]}
        return {}

    def send(self, message: Message, timeout_s: float) -> str:
        try:
            refused = self._deliver(message, timeout_s)
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

    def _deliver(self, message: Message, timeout_s: float) -> Mapping[str, tuple[int, bytes]]:
        """Sends the mail; the recipients that the server refused, unless it refused all."""
        # Before the connection is made: what cannot be written must not keep a server waiting.
        data = mail(message, self.config["sender"], self.config["recipients"])
        backend = self._backend(timeout_s)
        try:
            backend.open()
            if backend.connection is None:
                raise smtplib.SMTPServerDisconnected("no connection")
            # Not the backend's own method: it does not tell which recipients were refused.
            return backend.connection.sendmail(
                self.config["sender"], self.config["recipients"], data
            )
        finally:
            backend.close()

    def _backend(self, timeout_s: float) -> Backend:
        return Backend(
            context=tls.context(
                bool(self.config["verify_tls"]), self.config["ca_certificate"] or ""
            ),
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


def mail(message: Message, sender: str, recipients: list[str]) -> bytes:
    """The mail as it goes over the wire."""
    domain = sender.rpartition("@")[2]
    headers = {
        "Message-ID": f"<{message.id}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if len(message.alerts) == 1:
        # Mail programs show all that is said about one alert as one conversation.
        headers["References"] = f"<alert-{message.alerts[0].id}@{domain}>"
    made = EmailMultiAlternatives(
        subject=subject(message),
        body=text_body(message),
        from_email=formataddr(("ConsulOps", sender)),
        to=recipients,
        headers=headers,
    )
    made.attach_alternative(html_body(message), "text/html")
    return re.sub(rb"\r?\n", b"\r\n", made.message().as_bytes())


def subject(message: Message) -> str:
    """The title, and the states or the cluster, on one line."""
    more = f": {message.counts()}" if len(message.alerts) > 1 else f" ({message.cluster})"
    return excerpt(message.title() + more, _MOST_SUBJECT)


def text_body(message: Message) -> str:
    """The whole message as text."""
    parts = []
    for alert in message.worst_first():
        lines = [excerpt(alert.title), _facts(alert), alert.url]
        if alert.output.strip():
            lines += ["", *(f"    {line}" for line in _output(alert).splitlines())]
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, f"-- \n{_footer(message)}"]) + "\n"


def html_body(message: Message) -> str:
    """The whole message as HTML; everything that Consul says is escaped."""
    alerts = format_html_join(
        "\n",
        '<h2><a href="{}">{}</a></h2><p>{}</p>{}',
        (
            (alert.url, excerpt(alert.title), _facts(alert), _html_output(alert))
            for alert in message.worst_first()
        ),
    )
    return format_html(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>{style}</style></head><body><h1>{title}</h1>\n{alerts}\n<p>{footer}</p></body>"
        "</html>",
        title=subject(message),
        style=_STYLE,
        alerts=alerts,
        footer=_footer(message),
    )


def _facts(alert: AlertFacts) -> str:
    was = f"was {alert.previous}, " if alert.previous else ""
    return excerpt(f"{was}since {alert.since:%Y-%m-%d %H:%M:%S %Z}, check {alert.check}")


def _html_output(alert: AlertFacts) -> str:
    output = _output(alert)
    return format_html("<pre>{}</pre>", output) if output.strip() else ""


def _output(alert: AlertFacts) -> str:
    """The check's output, cut, without what a mail may not hold."""
    return "\n".join(excerpt(line, 1000) for line in alert.output[:_MOST_OUTPUT].splitlines())


def _footer(message: Message) -> str:
    route = f", route {message.route}" if message.route else ""
    return excerpt(f"ConsulOps, cluster {message.cluster}{route}, {message.reason}")


def _refusals(refused: Mapping[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{who} ({code} {_text(why)})" for who, (code, why) in refused.items())


def _text(answer: bytes | str) -> str:
    return excerpt(answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer)
