"""From what a server sent to an Answer or a typed error; pure, the same for both transports."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from consulops.consulapi import errors
from consulops.consulapi.errors import ConsulError, Place

MAX_BODY = 64 << 20

_EXCERPT = 200
_HTTP_TO_TLS = "HTTP request to an HTTPS server"
_ENTER_API = "Enter the address of Consul's own HTTP API."
_TRY_LATER = "It is tried again; if it stays so, look in that server's log."

# What Consul writes in the body of an error, whatever the status code: the codes changed between
# versions (1.8 sends 500 for an RPC error, newer ones 429 or 503), the words did not.
_PHRASES: tuple[tuple[str, type[ConsulError], str], ...] = (
    ("acl not found", errors.AclNotFound, "The cluster does not know this token; enter another."),
    ("acl support disabled", errors.AclDisabled, "Nothing to do: this cluster has no ACLs."),
    ("no path to datacenter", errors.WrongDatacenter, "Correct the name of the datacenter."),
    ("no cluster leader", errors.NoLeader, "Wait for an election or look at the servers."),
    ("not the leader", errors.NoLeader, "Wait for an election or look at the servers."),
    ("leadership lost", errors.NoLeader, "Wait for an election or look at the servers."),
    ("no known consul servers", errors.NoLeader, "This agent finds no server; look at its log."),
)

# What a path needs, for the advice; the longest matching prefix counts.
_RIGHTS = {
    "/v1/health/": "node:read and service:read",
    "/v1/catalog/": "node:read and service:read",
    "/v1/kv/": "key:read (key:write for changes)",
    "/v1/txn": "key:read (key:write for changes)",
    "/v1/session/": "session:read (session:write for changes)",
    "/v1/event/": "event:read (event:write to fire one)",
    "/v1/agent/": "agent:read",
    "/v1/operator/": "operator:read",
    "/v1/snapshot": "management rights (acl:write)",
    "/v1/acl/": "acl:read",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server sent: headers must be a mapping that ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A parsed answer and what Consul says about how far it can be trusted; size is in bytes."""

    value: Any
    index: int
    known_leader: bool
    last_contact_ms: int
    size: int


def classify(reply: Reply, place: Place) -> ConsulError | None:
    """Says which error a reply is; None when it is a success."""
    if 200 <= reply.status < 300:
        return None
    text = excerpt(reply.body)
    if 300 <= reply.status < 400:
        target = excerpt(reply.headers.get("Location", "").partition("?")[0].encode())
        return place.error(
            errors.BadAnswer, f"The server redirects to “{target}”.", f"Not followed. {_ENTER_API}"
        )
    if _is_html(reply):
        return _not_consul(reply, place)
    for phrase, kind, advice in _PHRASES:
        if phrase in text.lower():
            return place.error(kind, f"{text}.", advice)
    if reply.status == 403 or "permission denied" in text.lower():
        return place.error(
            errors.PermissionDenied, f"{text or 'Refused'}.", f"Give the token {right_for(place)}."
        )
    return _by_status(reply.status, text, place)


def settle(reply: Reply, place: Place) -> Answer:
    """The parsed answer of a reply; raises the typed error that it stands for."""
    error = classify(reply, place)
    if error is not None:
        raise error
    return parse(reply, place)


def _by_status(status: int, text: str, place: Place) -> ConsulError:
    if _HTTP_TO_TLS in text:
        return place.error(
            errors.TlsFailed, "The server speaks TLS.", "Begin the address with https://."
        )
    if status == 404:
        return place.error(
            errors.NotFound,
            "There is nothing there.",
            "It may be gone, or the token may not read it.",
        )
    said = f"Consul answered {status}: {text or 'no text'}."
    if status == 429 or status >= 500:
        return place.error(errors.ServerError, said, _TRY_LATER)
    return place.error(errors.BadRequest, said, "Consul does not accept this call.")


def parse(reply: Reply, place: Place) -> Answer:
    """Reads a success; raises NotConsul for HTML and BadAnswer for anything else but JSON.

    Many writes are answered with an empty body, which is the value None.
    """
    if _is_html(reply):
        raise unusable(reply, place)
    if not reply.body and not place.call.startswith("GET "):
        return with_headers(None, reply)
    try:
        # Here, not in a thread: orjson keeps the interpreter's lock, so a thread only adds time.
        value = _parsed(reply.body)
    except orjson.JSONDecodeError:
        raise unusable(reply, place) from None
    return with_headers(value, reply)


def _parsed(body: bytes) -> Any:
    """The value of a JSON text. Raises JSONDecodeError."""
    # What is being made is no garbage: of 50,000 checks the collector takes half of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        return orjson.loads(body)
    finally:
        if collects:
            gc.enable()


def unusable(reply: Reply, place: Place) -> errors.BadAnswer:
    """The error of a success whose body is not what was asked for."""
    if _is_html(reply):
        return _not_consul(reply, place)
    said = f"“{excerpt(reply.body)}”" if reply.body else "nothing"
    return place.error(errors.BadAnswer, f"The answer is not usable JSON: {said}.", _ENTER_API)


def with_headers(value: Any, reply: Reply) -> Answer:
    """Adds what the headers say; an index that is missing or no number counts as 0."""
    return Answer(
        value=value,
        index=_number(reply.headers.get("X-Consul-Index", "")),
        known_leader=reply.headers.get("X-Consul-KnownLeader", "").lower() == "true",
        last_contact_ms=_number(reply.headers.get("X-Consul-LastContact", "")),
        size=len(reply.body),
    )


def check_size(size: int, place: Place) -> None:
    """Raises BadAnswer when a body (bytes read so far) goes beyond what we are willing to hold."""
    if size > MAX_BODY:
        raise place.error(
            errors.BadAnswer,
            f"The answer is too large: more than {MAX_BODY >> 20} MB.",
            "Ask for less, or look for a check with an enormous output.",
        )


def excerpt(body: bytes) -> str:
    """The first line or two of a body, fit to be shown: printable, single spaces, no full stop."""
    text = body[: _EXCERPT * 4].decode("utf-8", "replace")
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    short = words if len(words) <= _EXCERPT else f"{words[:_EXCERPT]}…"
    return short.rstrip(".")


def right_for(place: Place) -> str:
    """Which right the call of a place needs, as far as its path tells."""
    path = place.call.partition(" ")[2]
    fitting = [prefix for prefix in _RIGHTS if path.startswith(prefix)]
    return _RIGHTS[max(fitting, key=len)] if fitting else "the right that this call needs"


def _is_html(reply: Reply) -> bool:
    kind = reply.headers.get("Content-Type", "").lower()
    return kind.startswith("text/html") or reply.body[:64].lstrip().startswith(b"<")


def _not_consul(reply: Reply, place: Place) -> errors.NotConsul:
    return place.error(
        errors.NotConsul,
        f"The server answered {reply.status} with a web page, not with Consul's API.",
        f"{_ENTER_API} A proxy may stand between.",
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else 0
