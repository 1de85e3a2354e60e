"""How apps above this one take part in the transaction that records a change."""

from __future__ import annotations

from django.dispatch import Signal

# Sent inside the transaction, with `transitions`: list[Transition], each with its check loaded.
# A receiver that raises undoes the whole transaction: a change is recorded with its alert or not.
transitions_recorded = Signal()

# Sent inside the transaction when the meta of nodes or instances is other than before, with
# `meta` ("node_meta" or "service_meta"), `cluster_id` and `nodes`: set[str].
metas_changed = Signal()
