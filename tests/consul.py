"""Fixtures with real Consul servers; a pytest plugin that tests/conftest.py names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from consulops.lab import binary
from consulops.lab.cluster import LocalCluster

# Not the tests' own data folder: a binary that was fetched once serves every run.
DATA = Path(__file__).resolve().parent.parent / "var"


@pytest.fixture(scope="session")
def consul_binary() -> Path:
    """A consul binary; fetched when there is none. Without one tests skip, or fail with CI=true."""
    try:
        return binary.find(DATA) or binary.fetch(DATA)
    except binary.NoConsul as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"No consul binary: {error}", pytrace=False)
        pytest.skip(f"No consul binary: {error}")


@pytest.fixture(scope="session")
def consul(consul_binary: Path) -> Iterator[LocalCluster]:
    """One server that all tests share: give services and checks names of your own."""
    with LocalCluster(consul_binary) as cluster:
        yield cluster


@pytest.fixture
def fresh_consul(consul_binary: Path) -> Iterator[LocalCluster]:
    """One server for this test alone."""
    with LocalCluster(consul_binary) as cluster:
        yield cluster
