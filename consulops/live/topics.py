"""What can ring, and who may hear it."""

from __future__ import annotations

from consulops.accounts.models import Role, User

# The least role that may hear each topic: a ring carries a name only, but its moment tells.
TOPICS: dict[str, Role] = {
    "checks": Role.VIEWER,
    "alerts": Role.VIEWER,
    "clusters": Role.VIEWER,
    "notifiers": Role.VIEWER,
    "deliveries": Role.VIEWER,
    "routes": Role.VIEWER,
    "silences": Role.VIEWER,
    "rules": Role.VIEWER,
    "events": Role.VIEWER,
    "system": Role.VIEWER,
    "audit": Role.ADMIN,
    "users": Role.ADMIN,
}


def audible(user: User) -> list[str]:
    """The topics that this person may hear."""
    return [topic for topic, role in TOPICS.items() if user.may(role)]
