"""One demonstration and one Chromium for all tests of a process; a new profile for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.demonstration import Demonstration, Places

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with Demonstration(tmp_path_factory.mktemp("demo") / "var") as demonstration:
        yield demonstration.places


# Not for the session: while Playwright runs, an event loop runs in this thread, and a test of
# another module that must not be in one (Django's) would find itself there.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


MakePage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[MakePage]:
    """Give pages of browsers that know nothing of each other: `new_page(locale="de-DE")`."""
    contexts: list[BrowserContext] = []

    def make(**settings: Any) -> Page:
        contexts.append(browser.new_context(**settings))
        contexts[-1].set_default_timeout(15_000)
        return contexts[-1].new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: MakePage) -> Page:
    return new_page()
