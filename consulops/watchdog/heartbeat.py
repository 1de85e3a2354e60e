"""The dead man's switch: somebody else is pinged while all is well, and misses us when it is not.

As Healthchecks takes it: GET the address; POST to the address + "/fail" with the reason.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from consulops.core.status import Status
from consulops.notifiers import http
from consulops.notifiers.base import SendError
from consulops.notifiers.sending import explain
from consulops.watchdog.facts import Facts
from consulops.watchdog.judgement import WATCHER, judge_cluster

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Pinged:
    """Whether a ping was taken, and the real answer or what went wrong."""

    ok: bool
    answer: str


def troubles(facts: Facts, courier_is_stuck: bool, running_since: datetime) -> list[str]:
    """Why all is not well, as far as it is our own work; a failing cluster is what we tell of."""
    found = [
        f"{facts.clusters[pk].name}: {finding.text}"
        for pk, one in facts.cluster_facts.items()
        for finding in judge_cluster(one, facts.terms, facts.now, running_since)
        if finding.check_id == WATCHER and finding.status is Status.CRITICAL
    ]
    if courier_is_stuck:
        found.append("Messages are due that nobody sends.")
    return found


async def ping(url: str, reasons: list[str]) -> Pinged:
    """Says that all is well, or with reasons that it is not. Raises nothing expected."""
    try:
        async with asyncio.timeout(TIMEOUT_S), aiohttp.ClientSession(trust_env=False) as session:
            if reasons:
                text = "\n".join(reasons).encode()
                return Pinged(True, await http.exchange(session, fail_url(url), data=text))
            return Pinged(True, await http.exchange(session, url, method="GET"))
    except SendError as error:
        return Pinged(False, error.text)
    except TimeoutError:
        return Pinged(False, f"No answer: timed out after {TIMEOUT_S:g} s.")
    except (aiohttp.InvalidURL, ValueError):
        return Pinged(False, "The address cannot be used.")
    except (aiohttp.ClientError, OSError) as error:
        # In our own words: those of these exceptions hold the address, which is a secret.
        return Pinged(False, explain(error))


def fail_url(url: str) -> str:
    """The address that is told of a failure: "/fail" after the path, before any query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
