"""Pages in a real browser, and what the browser complains about."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response

Cookies = list[dict[str, Any]]


class Visits:
    """Opens pages of the product, as the admin unless told otherwise.

    `complaints` gathers errors of scripts, breaches of the Content-Security-Policy and answers
    of 400 and more.
    """

    def __init__(self, browser: Browser, url: str, admin: Cookies) -> None:
        self.url = url
        self.complaints: list[str] = []
        self._browser = browser
        self._admin = admin
        self._contexts: list[BrowserContext] = []

    def open(
        self,
        path: str,
        cookies: Cookies | None = None,
        *,
        width: int = 1440,
        scripts: bool = True,
    ) -> Page:
        """A page in a browser of its own; an empty list of cookies is a stranger."""
        context = self._browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
        )
        context.add_cookies(self._admin if cookies is None else cookies)  # type: ignore[arg-type]
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda said: self._hear(page, said))
        page.on("response", self._look)
        page.goto(path)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _hear(self, page: Page, said: ConsoleMessage) -> None:
        # Answers of 400 and more are heard of below, with the address.
        if said.type == "error" and "Failed to load resource" not in said.text:
            self.complaints.append(f"{page.url}: {said.text} ({said.location.get('url')})")

    def _look(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")
