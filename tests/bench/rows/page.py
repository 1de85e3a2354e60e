"""From a failing check in Consul to its row in an open browser page."""

from __future__ import annotations

from dataclasses import dataclass
from random import SystemRandom
from statistics import median

from playwright.sync_api import Page, sync_playwright

from tests import chromium
from tests.bench.row import Broken, Measured, Row
from tests.bench.world import World

# Longer than the second in which an open page fetches a part only once.
PAUSE_MS = (1500, 2500)
PATIENCE_MS = 15_000
_random = SystemRandom()

# The page's own observer notes when a row of this name first is critical; 0 after the patience.
_OBSERVE = """
([name, patienceMs]) => {
  const says = (link) => link.textContent.trim() === name;
  window.seenAt = new Promise((resolve) => {
    const observer = new MutationObserver(() => {
      if ([...document.querySelectorAll("tr[data-status=critical] a")].some(says)) {
        resolve(Date.now());
        observer.disconnect();
      }
    });
    observer.observe(document.body, { childList: true, subtree: true, attributes: true });
    setTimeout(() => resolve(0), patienceMs);
  });
}
"""


# When the page asked for its part, and when it had the answer: the first fetch after this moment.
_FETCH = """
(before) => {
  const origin = performance.timeOrigin;
  const fetches = performance.getEntriesByType("resource").filter(
    (one) => new URL(one.name).pathname === location.pathname && origin + one.startTime > before);
  performance.clearResourceTimings();
  return [origin + fetches[0].startTime, origin + fetches[0].responseEnd];
}
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One change that a page showed; all in milliseconds, the parts one after the other."""

    whole: float
    rung: float
    fetched: float
    shown: float


def measure(world: World, trials: int) -> Measured:
    """How long until the row has changed, in milliseconds."""
    path = chromium.find()
    if path is None:
        raise Broken("there is no Chromium to measure with")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            page = _signed_in(browser.new_page(), world)
            seen = [_one(page, world, number) for number in range(trials)]
        finally:
            browser.close()
    parts = {
        "until_the_page_asks": median(one.rung for one in seen),
        "until_it_has_the_answer": median(one.fetched for one in seen),
        "until_the_row_has_changed": median(one.shown for one in seen),
    }
    rounded = {name: round(value, 1) for name, value in parts.items()}
    return Measured([one.whole for one in seen], {"median_of_parts_ms": rounded})


def _signed_in(page: Page, world: World) -> Page:
    page.goto(f"{world.url}/login/?next=/checks/")
    page.get_by_label("Username").fill("admin")
    page.locator("input[type=password]").fill(world.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/checks/")
    page.wait_for_selector("#live-mark[data-state=live]")
    return page


def _one(page: Page, world: World, number: int) -> Seen:
    check = world.checks[number * 41 % len(world.checks)]
    page.wait_for_timeout(_random.uniform(*PAUSE_MS))
    page.evaluate(_OBSERVE, [f"Check of {check[1].removeprefix('check-')}", PATIENCE_MS])
    before = world.set([check], "critical") * 1000
    seen_at = float(page.evaluate("() => window.seenAt"))
    if not seen_at:
        raise Broken(f"{check} failed, and the open page did not say so")
    asked_at, had_at = page.evaluate(_FETCH, before)
    page.wait_for_timeout(_random.uniform(*PAUSE_MS))
    world.recover([check])
    return Seen(seen_at - before, asked_at - before, had_at - asked_at, seen_at - had_at)


ROW = Row(
    name="page-5000",
    what="a check fails → its row in an open page, 5,000 checks",
    unit="ms",
    checks=5000,
    trials=30,
    measure=measure,
    median=250,
)
