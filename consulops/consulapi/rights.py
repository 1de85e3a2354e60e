"""Tests a connection and says what works, what the token lacks, and what needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Any

from consulops.consulapi import errors
from consulops.consulapi.aio import AsyncClient
from consulops.consulapi.answers import Answer
from consulops.consulapi.connection import Connection
from consulops.consulapi.errors import ConsulError

# An agent answers at once; what it must ask a server for may hang while there is no leader.
_AGENT_S = 3.0
_QUICK_S = 1.0
_ACL_S = 3.0

# A name that no rule is about: what the token may do with it, it may do with any.
_ANY = "consulops-connection-test"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of the test, in the order to be shown; ok is None when it cannot be told."""

    name: str
    ok: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Right:
    """A right that the token may lack, and what does not work then."""

    resource: str
    access: str
    needed_for: str

    @property
    def name(self) -> str:
        return f"{self.resource}:{self.access}"


RIGHTS = (
    Right("node", "read", "nodes and all checks"),
    Right("service", "read", "services and their checks"),
    Right("key", "read", "keys and values"),
    Right("session", "read", "sessions and the locks they hold"),
    Right("event", "read", "user events"),
    Right("agent", "read", "Consul's version and settings"),
    Right("operator", "read", "Raft peers and the autopilot's health"),
    Right("acl", "write", "snapshots: Consul lets only management tokens save and restore"),
)

_Result = Answer | ConsulError


def probe(connection: Connection) -> list[Finding]:
    """Tests a connection within a few seconds; never raises. Not for use inside an event loop."""
    return asyncio.run(probe_async(connection))


async def probe_async(connection: Connection) -> list[Finding]:
    """Tests a connection within a few seconds; never raises.

    Catalog reads cannot tell a missing right from nothing there (Consul filters them to an empty
    list, and answers 404 for keys), so Consul itself is asked what the token may do.
    """
    async with AsyncClient(connection) as client:
        agent, leader, datacenters = await asyncio.gather(
            _try(client.read("/v1/agent/self", timeout_s=_AGENT_S)),
            # Neither asks for a right, so they tell Consul from others even without a token.
            _try(client.read("/v1/status/leader", timeout_s=_QUICK_S)),
            _try(client.read("/v1/catalog/datacenters", timeout_s=_QUICK_S)),
        )
        findings = [_reachable(agent, leader, connection), _tls(agent, connection)]
        if findings[0].ok is False or findings[1].ok is False:
            return findings + _unknown(("Consul", "Datacenter", "Leader", "Token"))
        findings += [
            _consul(agent, leader),
            _datacenter(agent, datacenters, connection.datacenter),
            _leader(leader),
        ]
        if findings[2].ok is False:
            return findings + _unknown(("Token",))
        return findings + _rights(await _authorize(client, agent), connection)


async def _try(call: Awaitable[Answer]) -> _Result:
    try:
        return await call
    except ConsulError as error:
        return error


async def _authorize(client: AsyncClient, agent: _Result) -> _Result:
    """Asks Consul what the token may do: what its own web page asks."""
    name = str(_settings(agent).get("NodeName") or _ANY)
    questions = [
        {
            "Resource": right.resource,
            "Access": right.access,
            # Tokens for an agent are commonly made for that one agent only.
            "Segment": name if right.resource == "agent" else _ANY,
        }
        for right in RIGHTS
    ]
    return await _try(
        client.write("POST", "/v1/internal/acl/authorize", questions, timeout_s=_ACL_S)
    )


def _reachable(agent: _Result, leader: _Result, connection: Connection) -> Finding:
    silent = (errors.Unreachable, errors.TimedOut)
    if isinstance(agent, silent) and not isinstance(leader, Answer):
        return Finding("Reachable", False, _say(agent))
    if isinstance(agent, errors.TlsFailed):
        # A certificate that we could not even read stopped us before we knocked.
        knocked = agent.call.startswith("GET ")
        return Finding(
            "Reachable",
            True if knocked else None,
            f"Something listens at {connection.address}." if knocked else "Not tried.",
        )
    return Finding("Reachable", True, f"{connection.address} answers.")


def _tls(agent: _Result, connection: Connection) -> Finding:
    if isinstance(agent, errors.TlsFailed):
        return Finding("TLS", False, _say(agent))
    if not connection.address.lower().startswith("https:"):
        text = "Not used: the token travels unencrypted." if connection.token else "Not used."
        return Finding("TLS", None, text)
    if isinstance(agent, errors.Unreachable | errors.TimedOut):
        return Finding("TLS", None, "Unknown: the server did not answer.")
    if not connection.verify_tls:
        return Finding("TLS", None, "Encrypted, but the certificate is not verified.")
    return Finding("TLS", True, "Encrypted; the certificate is trusted.")


def _consul(agent: _Result, leader: _Result) -> Finding:
    version = _settings(agent).get("Version")
    if version:
        return Finding("Consul", True, f"Consul {version}.")
    if isinstance(leader, Answer) and isinstance(leader.value, str):
        return Finding("Consul", True, "It is Consul; the version takes the right agent:read.")
    if isinstance(agent, errors.PermissionDenied | errors.AclNotFound):
        return Finding("Consul", True, "It speaks Consul's API; the version takes agent:read.")
    if isinstance(agent, Answer):
        return Finding("Consul", False, "It answers JSON, but it is not Consul's HTTP API.")
    wrong = isinstance(agent, errors.BadAnswer | errors.NotFound | errors.BadRequest)
    return Finding("Consul", False if wrong else None, _say(agent))


def _datacenter(agent: _Result, datacenters: _Result, wanted: str) -> Finding:
    actual = str(_settings(agent).get("Datacenter") or "")
    known = datacenters.value if isinstance(datacenters, Answer) else None
    if not isinstance(known, list):
        known = None
    if not wanted:
        text = f"None entered; the agent's is {actual}." if actual else "None entered."
        return Finding("Datacenter", True if actual else None, text)
    if actual == wanted:
        return Finding("Datacenter", True, f"{wanted}, as entered.")
    if known is None:
        return Finding("Datacenter", None, "Unknown: the agent does not list its datacenters.")
    if wanted not in known:
        names = ", ".join(map(str, known)) or "none"
        return Finding(
            "Datacenter", False, f"No path to {wanted}. The agent knows: {names}. Correct the name."
        )
    if not actual:
        return Finding("Datacenter", True, f"{wanted} is known there.")
    return Finding(
        "Datacenter",
        None,
        f"The agent belongs to {actual} and forwards calls to {wanted}; "
        "an address in the datacenter itself is better.",
    )


def _leader(leader: _Result) -> Finding:
    if isinstance(leader, ConsulError):
        lost = isinstance(leader, errors.NoLeader | errors.TimedOut | errors.WrongDatacenter)
        return Finding("Leader", False if lost else None, _say(leader))
    if isinstance(leader.value, str) and leader.value:
        return Finding("Leader", True, f"The leader is {leader.value}.")
    return Finding("Leader", False, "The cluster has no leader: nothing can be written now.")


def _rights(verdicts: _Result, connection: Connection) -> list[Finding]:
    if isinstance(verdicts, errors.AclDisabled):
        return [Finding("Token", True, "This cluster has no ACLs: everybody may do everything.")]
    if isinstance(verdicts, errors.AclNotFound):
        text = "The cluster does not know this token." if connection.token else _say(verdicts)
        return [Finding("Token", False, text), *_unknown(right.name for right in RIGHTS)]
    allowed = _allowed(verdicts)
    if allowed is None:
        said = _say(verdicts) if isinstance(verdicts, ConsulError) else "It gave no verdict."
        return [
            Finding("Token", None, f"Consul does not say what the token may do. {said}"),
            *_unknown(right.name for right in RIGHTS),
        ]
    who = "The token" if connection.token else "Whoever shows no token"
    known = "The cluster knows the token." if connection.token else "None entered."
    return [Finding("Token", True, known)] + [
        Finding(
            right.name,
            allowed[right.resource],
            f"Allowed; needed for {right.needed_for}."
            if allowed[right.resource]
            else f"{who} lacks {right.name} for all names, which is needed for {right.needed_for}.",
        )
        for right in RIGHTS
    ]


def _allowed(verdicts: _Result) -> dict[str, bool] | None:
    """The verdict per resource; None when the answer is not what was asked for."""
    rows = verdicts.value if isinstance(verdicts, Answer) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    found = {str(row.get("Resource")): row.get("Allow") is True for row in rows}
    return found if all(right.resource in found for right in RIGHTS) else None


def _settings(agent: _Result) -> dict[str, Any]:
    value = agent.value if isinstance(agent, Answer) else None
    settings = value.get("Config") if isinstance(value, dict) else None
    return settings if isinstance(settings, dict) else {}


def _unknown(names: Iterable[str]) -> list[Finding]:
    return [Finding(name, None, "Unknown until the above works.") for name in names]


def _say(result: _Result) -> str:
    return f"{result.text} {result.advice}" if isinstance(result, ConsulError) else ""
