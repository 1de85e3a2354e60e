"""What proves to a receiver that a request is ours, and who we are."""

from __future__ import annotations

import base64
import hashlib
import hmac

SIGNATURE = "X-ConsulOps-Signature"


def signature(secret: str, body: bytes) -> str:
    """The hex HMAC-SHA256 of the raw body under the secret, behind `sha256=`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def basic(username: str, password: str) -> str:
    """The value of `Authorization` for a user and a password, as RFC 7617 has it."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
