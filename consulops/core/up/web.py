"""The web process: python -m consulops.core.up.web HOST PORT."""

from __future__ import annotations

import sys

import uvicorn

# Streams of events never end by themselves: this is how long a stop waits for them.
GRACE_S = 3


def serve(host: str, port: int) -> None:
    """Serves the pages until SIGTERM; log lines go through Django's settings, not uvicorn's."""
    uvicorn.run(
        "consulops.asgi:application",
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
