"""The session of HTTP and the threads that sending needs."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import aiohttp
import pytest
import trustme

from consulops.notifiers import sending
from consulops.notifiers.base import Kind, Message
from consulops.notifiers.config import from_config
from consulops.notifiers.registry import kinds
from consulops.notifiers.wording import PLAIN, Wording

Send = Callable[..., str]

# Apprise imports a module that Python 3.13 drops (and does without it there); Python warns once.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import_module("apprise.utils.pgp")


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


@pytest.fixture
def send(executor: ThreadPoolExecutor) -> Send:
    """Sends a message with a kind and raw settings, as the courier does after loading both."""

    def send(
        name: str,
        config: dict[str, Any],
        message: Message,
        timeout_s: float = 5,
        wording: Wording = PLAIN,
        checked: bool = False,
    ) -> str:
        if not checked:
            settings, secrets = from_config(name, config)
            config = {**settings, **secrets}
        kind = kinds()[name](config, wording)
        return asyncio.run(_send(kind, message, timeout_s, executor))

    return send


async def _send(
    kind: Kind, message: Message, timeout_s: float, executor: ThreadPoolExecutor
) -> str:
    async with aiohttp.ClientSession() as http:
        return await sending.send(kind, http, message, timeout_s, executor)
