"""Who runs what: leases are renewed, taken and given up in one transaction, the beat."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from consulops.core import postgres
from consulops.live.services import publish

# After so long without a beat a supervisor counts as dead and its leases are free; in seconds.
LIFE_S = 8.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A supervisor: `host:pid:family-random`, and what it tells about itself."""

    owner: str
    host: str
    pid: int
    # The worker process that it lives in, with those who lived there before it.
    family: str


@dataclass(frozen=True, slots=True)
class Beat:
    """What a beat found: the leases that we hold now, and when to look again at the latest."""

    held: dict[str, int]
    # Of these, the ones to stop and then to `free`: not wanted, or above our share.
    surplus: list[str]
    # Seconds until a lease of somebody else lapses unless it is renewed; None: there is none.
    next_lapse_s: float | None


def fair_share(loops: int, supervisors: int) -> int:
    """How many loops one supervisor may run, so that all of them run and nobody has all."""
    return -(-loops // max(supervisors, 1))


def to_give_up(held: Collection[str], desired: Collection[str], share: int) -> list[str]:
    """Keys that we hold and should not: not wanted any more, or above our share."""
    wanted = sorted(key for key in held if key in desired)
    return sorted(set(held) - set(desired)) + wanted[share:]


def beat(me: Identity, held: Collection[str], desired: Sequence[str], resident_bytes: int) -> Beat:
    """Says that we live, renews what we hold, and takes what is free up to our share.

    The server's clock alone decides what has lapsed: those of the machines may differ.
    """
    with transaction.atomic():
        renewed = renew(me, held)
        supervisors = _say_alive(me, len(renewed), resident_bytes)
        share = fair_share(len(desired), supervisors)
        surplus = to_give_up(renewed, desired, share)
        room = share - (len(renewed) - len(surplus))
        taken = take(me, desired, room) if room > 0 else {}
        if taken or len(renewed) < len(held):
            publish("system")
        return Beat(renewed | taken, surplus, _next_lapse_s(me, desired))


def free(me: Identity, keys: Sequence[str]) -> None:
    """Gives leases up whose loops have ended here, and wakes those whom we make room for."""
    with transaction.atomic():
        _execute(
            "UPDATE loops_lease SET owner = '', expires_at = now()"
            " WHERE owner = %s AND key = ANY(%s)",
            [me.owner, list(keys)],
        )
        postgres.notify(postgres.LOOPS)
        publish("system")


def inherit(me: Identity) -> None:
    """Frees what the former supervisor of the same family still holds.

    A family has one worker and so one supervisor at a time. One that is replaced was killed, and
    its leases need not lapse first; should it live all the same, its epochs are over.
    """
    relatives = f"%:{me.family}-%"
    with transaction.atomic():
        _execute(
            "UPDATE loops_lease SET owner = '', expires_at = now()"
            " WHERE owner LIKE %s AND owner <> %s",
            [relatives, me.owner],
        )
        _execute(
            "DELETE FROM loops_supervisor WHERE owner LIKE %s AND owner <> %s",
            [relatives, me.owner],
        )


def leave(me: Identity) -> None:
    """Frees all our leases and takes our sign of life away: others take over at once."""
    with transaction.atomic():
        _execute(
            "UPDATE loops_lease SET owner = '', expires_at = now() WHERE owner = %s", [me.owner]
        )
        _execute("DELETE FROM loops_supervisor WHERE owner = %s", [me.owner])
        postgres.notify(postgres.LOOPS)
        publish("system")


def record_crash(me: Identity, key: str, error: str) -> None:
    """Notes on the lease that its loop crashed, for the System page."""
    with transaction.atomic():
        _execute(
            "UPDATE loops_lease SET restarts = restarts + 1, error = %s, error_at = now()"
            " WHERE key = %s AND owner = %s",
            [error, key, me.owner],
        )
        publish("system")


def renew(me: Identity, held: Collection[str]) -> dict[str, int]:
    """Those of our leases that had not lapsed, with their epochs; they live on from now."""
    rows = _execute(
        "UPDATE loops_lease SET expires_at = now() + make_interval(secs => %s)"
        " WHERE owner = %s AND key = ANY(%s) AND expires_at > now() RETURNING key, epoch",
        [LIFE_S, me.owner, list(held)],
    )
    return dict(rows)


def _say_alive(me: Identity, loops: int, resident_bytes: int) -> int:
    _execute(
        "INSERT INTO loops_supervisor"
        " (owner, host, pid, started_at, beat_at, loops, resident_bytes)"
        " VALUES (%s, %s, %s, now(), now(), %s, %s)"
        " ON CONFLICT (owner) DO UPDATE SET beat_at = now(), loops = excluded.loops,"
        " resident_bytes = excluded.resident_bytes",
        [me.owner, me.host, me.pid, loops, resident_bytes],
    )
    rows = _execute(
        "SELECT count(*) FROM loops_supervisor WHERE beat_at > now() - make_interval(secs => %s)",
        [LIFE_S],
    )
    return int(rows[0][0])


def take(me: Identity, desired: Sequence[str], limit: int) -> dict[str, int]:
    """Takes up to so many free leases; returns them with their epochs. For one transaction."""
    _execute(
        "INSERT INTO loops_lease (key, owner, epoch, expires_at, restarts, error)"
        " SELECT key, '', 0, now(), 0, '' FROM unnest(%s::text[]) AS key"
        " WHERE NOT EXISTS (SELECT 1 FROM loops_lease WHERE loops_lease.key = key.key)"
        " ON CONFLICT (key) DO NOTHING",
        [list(desired)],
    )
    # SKIP LOCKED: a stopped worker may hold a row in a transaction that it never ends.
    rows = _execute(
        "WITH free AS (SELECT key FROM loops_lease"
        " WHERE key = ANY(%s) AND expires_at <= now()"
        " ORDER BY key LIMIT %s FOR UPDATE SKIP LOCKED)"
        " UPDATE loops_lease SET owner = %s, epoch = epoch + 1, started_at = now(),"
        " expires_at = now() + make_interval(secs => %s)"
        " FROM free WHERE loops_lease.key = free.key"
        " RETURNING loops_lease.key, loops_lease.epoch",
        [list(desired), limit, me.owner, LIFE_S],
    )
    return dict(rows)


def _next_lapse_s(me: Identity, desired: Sequence[str]) -> float | None:
    rows = _execute(
        "SELECT extract(epoch FROM min(expires_at) - clock_timestamp())::float8"
        " FROM loops_lease WHERE key = ANY(%s) AND owner <> %s",
        [list(desired), me.owner],
    )
    value = rows[0][0]
    return None if value is None else float(value)


def _execute(
    statement: str, parameters: Sequence[str | int | float | list[str]]
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
