"""What happens in a worker of the cluster "watch" when it starts, begins and ends a task."""

from __future__ import annotations


def connect() -> None:
    """Connects the receivers."""
