"""The loop that sees what no change of a check tells: new instances, and meta that came later."""

from __future__ import annotations

from consulops.clusters.models import Cluster
from consulops.core import postgres
from consulops.loops.context import Context
from consulops.loops.registry import Loop, register
from consulops.rules import evaluation

LOOK_EVERY_S = 30.0


class LookAtRules(Loop):
    """Judges all clusters by all rules now and then."""

    kind = "rules"

    def keys(self) -> list[str]:
        return [self.kind]

    async def run(self, context: Context) -> None:
        bell = context.bell(postgres.LOOPS)
        while True:
            for cluster in await context.database(_clusters):
                await context.database(evaluation.look, cluster, context.fence)
            await bell.wait(LOOK_EVERY_S)


def _clusters() -> list[Cluster]:
    """Those to look at: none without a rule, whose checks went with it."""
    if not evaluation.enabled_rules():
        return []
    return list(Cluster.objects.filter(enabled=True))


register(LookAtRules())
