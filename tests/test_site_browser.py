"""The docs as a website in Chromium: nothing is requested from other hosts, and no script fails."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import TIMEOUT_S
from tests.helpers.page import launch_chromium
from tests.helpers.site import build_site

pytestmark = pytest.mark.browser


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The built site and its address on loopback."""
    folder = tmp_path_factory.mktemp("site")
    done = build_site(folder)
    assert done.returncode == 0, done.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_site_pages_without_other_hosts(site: tuple[Path, str]) -> None:
    """All pages request files of the site only and log no error."""
    folder, origin = site
    requests: list[str] = []
    errors: list[str] = []
    with launch_chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(1000 * TIMEOUT_S)
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        for path in sorted(folder.rglob("*.html")):
            page.goto(origin + path.relative_to(folder).as_posix(), wait_until="load")
    assert not errors
    assert len(requests) > 25 and [url for url in requests if not url.startswith((origin, "data:", "blob:"))] == []
