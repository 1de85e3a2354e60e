"""The fixture with a real browser's path; a pytest plugin that tests/conftest.py names."""

from __future__ import annotations

import pytest

from tests import chromium


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """A browser; without one tests skip, or fail with CI=true."""
    found = chromium.find()
    if found is None and chromium.required():
        pytest.fail("No Chromium: install it (apt install chromium).", pytrace=False)
    return found or pytest.skip("No Chromium: install it (apt install chromium).")
