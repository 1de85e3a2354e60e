"""What is done about silences by the clock."""

from __future__ import annotations

from consulops.loops import schedules

schedules.register("silences-prune", "consulops.silences.tasks.prune", cron="47 3 * * *")
