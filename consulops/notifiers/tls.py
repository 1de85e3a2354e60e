"""How a notifier trusts a server: the machine's authorities, one of its own, or nobody."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django import forms

from consulops.notifiers.fields import CertificateField

# For the kinds whose server people run themselves.
FIELDS: Mapping[str, forms.Field] = {
    "verify_tls": forms.BooleanField(
        label="Verify the server's certificate", required=False, initial=True
    ),
    "ca_certificate": CertificateField(
        label="CA certificate",
        required=False,
        help_text="PEM; for a server whose authority this machine does not know.",
    ),
}


def chosen(config: Mapping[str, Any]) -> ssl.SSLContext:
    """The TLS settings that the fields above ask for."""
    return context(bool(config["verify_tls"]), config["ca_certificate"] or "")


@lru_cache(maxsize=64)
def context(verify: bool, ca_certificate: str) -> ssl.SSLContext:
    """The TLS settings, made once: loading the machine's authorities takes milliseconds."""
    made = ssl.create_default_context(cadata=ca_certificate or None)
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
