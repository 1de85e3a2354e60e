"""One product for all journeys of a run, and a browser that complains about whatever is wrong."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from consulops.lab.demo import ADDRESSES
from tests.e2e.house import ADMIN, House
from tests.e2e.visits import Visits
from tests.product import READY, Product
from tests.waiting import eventually

PATIENCE_MS = 15_000
_PASSWORD = r"^Sign in as admin with the password (\S+)"


@pytest.fixture(scope="session")
def house(chromium_path: str, consul_binary: Path) -> Iterator[House]:
    """The product with its demo, once both datacenters have been read."""
    # Not below pytest's own folder, which others may not enter: PostgreSQL never runs as root.
    with tempfile.TemporaryDirectory(prefix="consulops-e2e-") as folder:
        data = Path(folder) / "data"
        with Product(data, CONSUL_BIN=str(consul_binary)) as product:
            password = product.wait_for(_PASSWORD)[1]
            product.wait_for(READY)
            addresses = data / "demo" / ADDRESSES
            eventually(addresses.exists)
            house = House(product, data, password, json.loads(addresses.read_text()))
            # The one check that fails from the start: from then on all is calm.
            eventually(lambda: house.told("web-2-disk"))
            yield house


@pytest.fixture(scope="module")
def chromium_browser(chromium_path: str) -> Iterator[Browser]:
    """One for each file: its event loop would keep Django from the database in other tests."""
    expect.set_options(timeout=PATIENCE_MS)
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"]) as browser,
    ):
        yield browser
    expect.set_options(timeout=5_000)


@pytest.fixture(scope="session")
def admin(house: House) -> list[dict[str, Any]]:
    """The cookies of the admin."""
    return house.sign_in(ADMIN, house.password)


@pytest.fixture
def visits(
    chromium_browser: Browser, house: House, admin: list[dict[str, Any]]
) -> Iterator[Visits]:
    """Opens pages; the test fails when the browser complained about one of them."""
    visits = Visits(chromium_browser, house.url, admin)
    yield visits
    visits.close()
    assert visits.complaints == []
