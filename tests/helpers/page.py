"""The made-up station's page in Chromium, and what tests look at in it."""

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

from tests.helpers.page_server import ARGUMENTS, CHROMIUM, Station

pytest.importorskip("playwright", reason="needs Playwright (extra `test`)")
if not CHROMIUM.exists():
    pytest.skip("needs Debian's chromium", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright

Open = Callable[..., Page]
# What the browser logs of a station that is stopped or refuses, which the page cannot prevent.
EXPECTED = re.compile("ERR_CONNECTION_(REFUSED|RESET)|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|status of (401|503)")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. While it is open no other event loop can run in this thread."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opener(browser: Browser) -> Iterator[Open]:
    """Opens the page of a station. Whatever the test: nothing may go wrong in the script or leave the origin."""
    contexts, problems, requests = [], [], []

    def open_page(station: Station, width: int = 1280, height: int = 900, at: float | None = None, **look: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **look)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append((message.type, message.text)))
        page.on("pageerror", lambda error: problems.append(("error", str(error))))
        page.on("request", lambda request: requests.append((station.url, request.url)))
        if at is not None:
            page.clock.install(time=at)
        page.goto(station.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [text for kind, text in problems if kind == "error" and not EXPECTED.search(text)]
    assert requests and all(url.startswith(origin) for origin, url in requests)


def picture(page: Page) -> np.ndarray:
    """The spectrogram as it is seen: `(height, width, 4)` uint8."""
    url = page.evaluate("document.querySelector('#spectrogram').toDataURL()")
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def wait(condition: Callable[[], object], seconds: float = 20) -> None:
    """Ask until the answer is yes."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def spectrogram_begun(page: Page) -> None:
    """Wait for the first columns, and for what is said about them."""
    expect(page.locator("#loudest")).to_contain_text("dB", timeout=20000)
