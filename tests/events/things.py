"""Events, handlers and programs for the tests of events."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from django.utils import timezone

from consulops.accounts.audit import Actor
from consulops.clusters.models import Cluster
from consulops.consulapi import Client, Connection, UserEvent, fire_event
from consulops.events import services
from consulops.events.models import Event, EventHandler, Run
from consulops.lab.cluster import LocalCluster

TEST = Actor.named("test")


def make_event(
    cluster: Cluster, name: str = "deploy", payload: bytes = b"v1", **more: Any
) -> Event:
    values = {"event_id": str(uuid4()), "ltime": 7, "seen_at": timezone.now()} | more
    return Event.objects.create(cluster=cluster, name=name, payload=payload, **values)


def make_handler(
    name: str = "hook", url: str = "http://127.0.0.1:1/hook", **values: Any
) -> EventHandler:
    config = {"url": url, "verify_tls": True, "ca_certificate": ""}
    handler = EventHandler(**{"name": name, "kind": "webhook", "config": config, **values})
    services.save_handler(TEST, handler)
    return handler


def make_program_handler(program: str, name: str = "program", **values: Any) -> EventHandler:
    config = {"program": program, "arguments": []}
    return make_handler(name, kind="executable", config=config, **values)


def make_run(event: Event, handler: EventHandler | None = None, **values: Any) -> Run:
    now = timezone.now()
    kind = handler.kind if handler else "webhook"
    facts = {"created_at": now, "next_at": now, "kind": kind, "handler_name": str(handler)}
    return Run.objects.create(event=event, handler=handler, **(facts | values))


def write_program(folder: Path, text: str, name: str = "program") -> str:
    """Puts a shell script into the folder of programs."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return name


def heard(event_id: str = "", name: str = "deploy", payload: bytes = b"v1") -> UserEvent:
    """An event as an agent tells of it."""
    return UserEvent(event_id or str(uuid4()), name, payload, "", "", "", 1, 3)


def take(cluster: Cluster, *found: UserEvent) -> services.Taken:
    """Takes a list in as the cluster's watcher would."""
    return services.take(cluster, found, lambda: None)


def fire(consul: LocalCluster, name: str = "deploy", payload: bytes = b"v1") -> str:
    """Fires an event as any other program would; returns its id."""
    with Client(Connection("dc1", consul.address)) as client:
        return fire_event(client, name, payload).id
