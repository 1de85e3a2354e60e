"""The web process's entry: uvicorn serves this."""

from __future__ import annotations

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "consulops.settings")
# WhiteNoise hands its small files out as plain iterators, which Django reads in a thread: no harm.
warnings.filterwarnings(
    "ignore", message="StreamingHttpResponse must consume synchronous iterators"
)
application = get_asgi_application()
