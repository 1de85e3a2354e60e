"""Local clusters: they start, answer, break on purpose, and keep their data."""

from __future__ import annotations

from consulops.lab.cluster import LocalCluster


def test_a_check_takes_the_status_that_is_set(consul: LocalCluster) -> None:
    consul.register_service("lab-web")
    consul.set_check("lab-web", "critical", "connection refused")
    check = consul.call("GET", "agent/checks")["lab-web"]
    assert (check["Status"], check["Output"]) == ("critical", "connection refused")
