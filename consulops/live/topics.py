"""What can ring, and who may hear it."""

from __future__ import annotations

from consulops.accounts.models import Role, User

# Topic → the least role that may hear it. A ring carries the name only, yet its moment tells something.
TOPICS: dict[str, Role] = {
    "checks": Role.VIEWER,
    "alerts": Role.VIEWER,
    "clusters": Role.VIEWER,
    "notifiers": Role.VIEWER,
    "deliveries": Role.VIEWER,
    "routes": Role.VIEWER,
    "system": Role.VIEWER,
    "audit": Role.ADMIN,
    "users": Role.ADMIN,
}


def audible(user: User) -> list[str]:
    """The topics that this person may hear."""
    return [topic for topic, role in TOPICS.items() if user.may(role)]
