"""What others may hear of silences."""

from __future__ import annotations

from django.dispatch import Signal

# Sent inside the transaction in which any silence began, changed or ended early.
silences_changed = Signal()
