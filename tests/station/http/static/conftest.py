"""One browser for all tests of the page, with a context of its own for each page that a test opens.

The browser is closed after this package's last test, as no other event loop can run in the thread meanwhile. Fixtures
import `tests.helpers.page` themselves: without Chromium it skips, which a conftest must not do.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.helpers.page_server import FakeStation


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium."""
    from tests.helpers.page import launch_chromium

    with launch_chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page of a station; see `page_opener`."""
    from tests.helpers.page import page_opener

    with page_opener(browser) as open_page:
        yield open_page


@pytest.fixture
def station() -> Iterator[FakeStation]:
    """A fake station with five verdicts a second."""
    with FakeStation(verdict_s=0.2) as station:
        yield station
