"""How a notifier trusts a server: the machine's authorities, one of its own, or nobody."""

from __future__ import annotations

import ssl
from functools import lru_cache


@lru_cache(maxsize=64)
def context(verify: bool, ca_certificate: str) -> ssl.SSLContext:
    """The TLS settings, made once: loading the machine's authorities takes milliseconds."""
    made = ssl.create_default_context(cadata=ca_certificate or None)
    if not verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    return made
