"""Talks to Consul: typed errors, both transports, blocking queries. Knows nothing of Django."""

from consulops.consulapi.aio import AsyncClient
from consulops.consulapi.answers import Answer
from consulops.consulapi.blocking import Update, watch
from consulops.consulapi.client import Client
from consulops.consulapi.connection import Address, BadAddress, Connection, parse_address
from consulops.consulapi.errors import ConsulError
from consulops.consulapi.events import UserEvent, fire_event, watch_events
from consulops.consulapi.pace import Backoff, TokenBucket

__all__ = [
    "Address",
    "Answer",
    "AsyncClient",
    "Backoff",
    "BadAddress",
    "Client",
    "Connection",
    "ConsulError",
    "TokenBucket",
    "Update",
    "UserEvent",
    "fire_event",
    "parse_address",
    "watch",
    "watch_events",
]
