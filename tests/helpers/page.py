"""The web page in Chromium: opening it on a fake station, and reading its spectrogram."""

import base64
import io
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TIMEOUT_S
from tests.helpers.page_server import CHROMIUM, CHROMIUM_OPTIONS, FakeStation

pytest.importorskip("playwright", reason="needs Playwright (extra `test`)")
if not CHROMIUM.exists():
    pytest.skip("needs Debian's chromium", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright

OpenPage = Callable[..., Page]
# Messages of the browser about a station that is stopped or refuses, which the page cannot prevent.
EXPECTED_ERRORS = re.compile(
    "ERR_CONNECTION_(REFUSED|RESET)|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|status of (401|503)"
)

expect.set_options(timeout=1000 * TIMEOUT_S)


@contextmanager
def launch_chromium() -> Iterator[Browser]:
    """Launch the browser. While it runs, no other event loop can run in this thread."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@contextmanager
def page_opener(browser: Browser) -> Iterator[OpenPage]:
    """Yield a function that opens a station's page in a browser context of its own.

    At the end, checks that no script logged an error and that no request left the page's origin.
    """
    contexts, messages, requests = [], [], []

    def open_page(
        station: FakeStation, width: int = 1280, height: int = 900, at: float | None = None, **options: Any
    ) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        if isinstance(station, FakeStation):
            station.close_pages.append(context.close)
        page = context.new_page()
        page.set_default_timeout(1000 * TIMEOUT_S)
        page.on("console", lambda message: messages.append((message.type, message.text)))
        page.on("pageerror", lambda error: messages.append(("error", str(error))))
        page.on("request", lambda request: requests.append((station.url, request.url)))
        if at is not None:
            page.clock.install(time=at)
        page.goto(station.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    errors = [text for kind, text in messages if kind == "error" and not EXPECTED_ERRORS.search(text)]
    assert not errors
    assert requests and all(url.startswith(origin) for origin, url in requests)


def spectrogram_pixels(page: Page) -> np.ndarray:
    """Return the visible spectrogram: `(height, width, 4)`, uint8."""
    url = page.evaluate("document.querySelector('#spectrogram').toDataURL()")
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def wait_until(condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
    """Poll `condition` until it is true."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, f"the condition was not met within {timeout_s} s"
        time.sleep(0.05)


def wait_for_spectrogram(page: Page) -> None:
    """Wait for the first columns, and for the text below them."""
    expect(page.locator("#loudest")).to_contain_text("dB")
