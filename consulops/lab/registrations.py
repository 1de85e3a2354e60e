"""What a test, a bench or a demo does to the services and checks of a local cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from consulops.lab.server import LabError

# Consul refuses a transaction with more operations.
TXN_LIMIT = 64
# Long enough that a check never expires while somebody looks at it.
TTL = "240h"

Json = Any


def ttl_check(check_id: str, name: str = "", status: str = "passing") -> dict[str, object]:
    """The definition of a check whose status is set by hand, for `register_service`."""
    return {"CheckID": check_id, "Name": name or check_id, "TTL": TTL, "Status": status}


class Registrations(ABC):
    """Registers, changes and removes services and checks through Consul's API.

    Checks of an agent (`register_service`, `register_check`, `set_check`) are kept by that server,
    which repairs the catalog when they differ. Checks of the catalog (`register_many`,
    `set_catalog_check`) belong to nodes without an agent, which nothing repairs.
    """

    def __init__(self) -> None:
        self._catalog: dict[tuple[str, str], dict[str, object]] = {}

    @abstractmethod
    def call(self, method: str, path: str, body: object = None, server: int = 0) -> Json:
        """Calls the API of one server; raises LabError unless it answers 2xx."""

    def register_service(
        self,
        name: str,
        service_id: str | None = None,
        checks: Sequence[Mapping[str, object]] | None = None,
        *,
        tags: Sequence[str] = (),
        meta: Mapping[str, str] | None = None,
        port: int = 0,
        server: int = 0,
    ) -> None:
        """Registers a service with an agent; without `checks`, with one passing TTL check
        whose id is the service's."""
        service_id = service_id or name
        body = {
            "ID": service_id,
            "Name": name,
            "Tags": list(tags),
            "Meta": dict(meta or {}),
            "Port": port,
            "Checks": [ttl_check(service_id)] if checks is None else list(checks),
        }
        self.call("PUT", "agent/service/register", body, server)

    def register_check(
        self,
        check_id: str,
        name: str = "",
        status: str = "passing",
        service_id: str = "",
        server: int = 0,
    ) -> None:
        """Registers a TTL check with an agent: of the node, or of a service registered there."""
        # Here, and only here, Consul wants the id as "ID".
        body = {**ttl_check(check_id, name, status), "ID": check_id, "ServiceID": service_id}
        del body["CheckID"]
        self.call("PUT", "agent/check/register", body, server)

    def set_check(self, check_id: str, status: str, output: str = "", server: int = 0) -> None:
        """Sets the status (passing, warning, critical) of an agent's TTL check."""
        body = {"Status": status, "Output": output}
        self.call("PUT", f"agent/check/update/{quote(check_id, safe='')}", body, server)

    def deregister_service(self, service_id: str, server: int = 0) -> None:
        path = f"agent/service/deregister/{quote(service_id, safe='')}"
        self.call("PUT", path, server=server)

    def deregister_check(self, check_id: str, server: int = 0) -> None:
        self.call("PUT", f"agent/check/deregister/{quote(check_id, safe='')}", server=server)

    def maintenance(
        self, on: bool, service_id: str | None = None, reason: str = "", server: int = 0
    ) -> None:
        """Puts a service, or without one the server's node, in or out of maintenance."""
        what = f"service/maintenance/{quote(service_id, safe='')}" if service_id else "maintenance"
        query = f"enable={str(on).lower()}&reason={quote(reason)}"
        self.call("PUT", f"agent/{what}?{query}", server=server)

    def register_many(
        self, count: int, nodes: int = 5, per_service: int = 50, prefix: str = "bulk"
    ) -> list[tuple[str, str]]:
        """Registers `count` passing checks, each of an instance of its own, on nodes without an
        agent; returns the (node, check id) pairs."""
        for number in range(nodes):
            node = {"Node": f"{prefix}-node-{number}", "Address": f"127.1.0.{number + 1}"}
            self.call("PUT", "catalog/register", node)
        operations: list[dict[str, object]] = []
        made: list[tuple[str, str]] = []
        for number in range(count):
            node_name, service_id = f"{prefix}-node-{number % nodes}", f"{prefix}-{number}"
            service = {"ID": service_id, "Service": f"{prefix}-service-{number // per_service}"}
            check: dict[str, object] = {
                "Node": node_name,
                "CheckID": f"check-{service_id}",
                "Name": f"Check of {service_id}",
                "Status": "passing",
                "ServiceID": service_id,
            }
            instance = {"Verb": "set", "Node": node_name, "Service": service}
            operations += [{"Service": instance}, {"Check": {"Verb": "set", "Check": check}}]
            made.append((node_name, f"check-{service_id}"))
            self._catalog[made[-1]] = check
        self._transact(operations)
        return made

    def set_catalog_check(self, node: str, check_id: str, status: str, output: str = "") -> None:
        """Sets the status of a catalog check (of `register_many`, or one that Consul knows)."""
        self.set_catalog_checks([(node, check_id)], status, output)

    def set_catalog_checks(
        self, checks: Iterable[tuple[str, str]], status: str, output: str = ""
    ) -> None:
        """Sets many catalog checks to one status, in transactions of up to TXN_LIMIT checks."""
        self._transact(
            [
                {
                    "Check": {
                        "Verb": "set",
                        "Check": {**self._known(*one), "Status": status, "Output": output},
                    }
                }
                for one in checks
            ]
        )

    def deregister_catalog(self, node: str, check_id: str | None = None) -> None:
        """Removes a check, or without one the whole node, from the catalog."""
        body = {"Node": node} if check_id is None else {"Node": node, "CheckID": check_id}
        self.call("PUT", "catalog/deregister", body)

    def _known(self, node: str, check_id: str) -> dict[str, object]:
        """The check's definition, since setting a check replaces all of it."""
        found = self._catalog.get((node, check_id))
        if found is None:
            for check in self.call("GET", f"health/node/{quote(node, safe='')}?consistent"):
                wanted = ("Node", "CheckID", "Name", "Notes", "ServiceID")
                self._catalog[node, check["CheckID"]] = {key: check[key] for key in wanted}
            found = self._catalog.get((node, check_id))
        if found is None:
            raise LabError(f"Node {node} has no check {check_id}.")
        return found

    def _transact(self, operations: Sequence[Mapping[str, object]]) -> None:
        for start in range(0, len(operations), TXN_LIMIT):
            self.call("PUT", "txn", operations[start : start + TXN_LIMIT])
