"""What is wrong with a page as a browser shows it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page

# Things of the program that no person should read.
_LEFT_OVER = re.compile(r"\bNone\b|\{\{|\{%|Traceback|\bNaN\b|undefined")

# Runs in the page; gives one line per fault.
_LOOK = """
async () => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const short = (element) => element.outerHTML.slice(0, 120);
  const headings = all("h1").length;
  if (headings !== 1) faults.push(`${headings} h1`);
  const {scrollWidth} = document.documentElement;
  if (scrollWidth > innerWidth) {
    const juts = (one) => one.getBoundingClientRect().right > innerWidth + 1;
    faults.push(`scrolls sideways: ${all("main *").filter(juts).slice(0, 1).map(short)}`);
  }
  const named = (one) => one.getAttribute("aria-label")?.trim() || one.title.trim()
    || one.getAttribute("aria-labelledby");
  for (const one of all("input:not([type=hidden]), select, textarea")) {
    const labels = [...one.labels].some((label) => label.textContent.trim());
    if (!labels && !named(one)) faults.push(`no label: ${short(one)}`);
  }
  for (const one of all("button, a[href], summary")) {
    const image = one.querySelector("svg[aria-label]");
    if (!one.textContent.trim() && !image && !named(one)) faults.push(`no name: ${short(one)}`);
  }
  const ids = all("[id]").map((one) => one.id);
  const twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  if (twice.length) faults.push(`ids that are not unique: ${twice.join(", ")}`);
  const icons = new Set(all("svg use").map((one) => one.getAttribute("href")));
  const sprites = new Map();
  for (const [file, name] of [...icons].map((href) => href.split("#"))) {
    if (!sprites.has(file)) sprites.set(file, await (await fetch(file)).text());
    if (!sprites.get(file).includes(`id="${name}"`)) faults.push(`no icon ${name}`);
  }
  const favicon = await fetch(document.querySelector("link[rel=icon]").href);
  if (!favicon.ok) faults.push(`favicon: ${favicon.status}`);
  for (const one of all("img")) if (!one.naturalWidth) faults.push(`no image: ${short(one)}`);
  return faults;
}
"""

# What the pages say themselves: not examples of code, and not what a person typed.
_PROSE = """
() => {
  const copy = document.body.cloneNode(true);
  for (const one of copy.querySelectorAll("code, pre, textarea")) one.remove();
  return copy.textContent;
}
"""

# Addresses that lead out of the pages, or to the same page in another order.
_NOT_A_PAGE = re.compile(r"[?&](format|after|state|status|kind|q)=|^/logout/")


def faults(page: Page) -> list[str]:
    """Everything that is wrong with the page that is open."""
    found: list[str] = page.evaluate(_LOOK)
    text: str = page.evaluate(_PROSE)
    found += [f"says {word!r}" for word in sorted(set(_LEFT_OVER.findall(text)))]
    title = re.sub(r"^\(\d+\) ", "", page.title())
    if not title.removesuffix(" · ConsulOps").strip() or not title.endswith(" · ConsulOps"):
        found.append(f"the title is {page.title()!r}")
    return found


def links(page: Page) -> list[str]:
    """The addresses of pages that this one leads to, in their order."""
    anchors = page.locator(".side a[href], header.top a[href], main a[href]:not([download])")
    addresses: list[str] = anchors.evaluate_all(
        """(all) => all.filter((one) => one.origin === location.origin)
        .map((one) => one.pathname + one.search)"""
    )
    return [address for address in addresses if not _NOT_A_PAGE.search(address)]


def kind(address: str) -> str:
    """The same for all pages that are made by one view: what the crawler visits once."""
    return re.sub(r"\d+", "n", urlsplit(address).path)
