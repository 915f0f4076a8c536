"""HTTP server with given pages, for addresses that users paste."""

import base64
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

CREDENTIALS = "user:p@ss"


@dataclass
class Page:
    """Answer to a request.

    Args:
        content: the body; `{host}` in a text is replaced with the server's address.
        content_type: MIME type, "" for none.
        status: status code.
        location: where a redirection leads.
        is_protected: needs `CREDENTIALS`.
    """

    content: str | bytes = ""
    content_type: str = ""
    status: int = 200
    location: str = ""
    is_protected: bool = False


@dataclass
class WebServer:
    """Server on localhost, in its own threads.

    Attributes:
        pages: by path, without the query.
        requests: the paths of all requests, each with the user agent's first four letters.
        host: address and port.
    """

    pages: dict[str, Page]
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.requests.append((self.path, self.headers.get("User-Agent", "")[:4]))
                with suppress(OSError):  # the client may close early
                    web._answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        page = self.pages.get(request.path.partition("?")[0], Page("<html>not here</html>", "text/html", 404))
        expected = "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()
        is_allowed = not page.is_protected or request.headers.get("Authorization") == expected
        request.send_response(page.status if is_allowed else 401)
        if not is_allowed:
            request.send_header("WWW-Authenticate", 'Basic realm="radio"')
        if page.content_type:
            request.send_header("Content-Type", page.content_type)
        if page.location:
            request.send_header("Location", page.location.replace("{host}", self.host))
        request.end_headers()
        if is_allowed:
            content = page.content
            body = content.replace("{host}", self.host).encode() if isinstance(content, str) else content
            request.wfile.write(body)

    def url(self, path: str, credentials: str = "") -> str:
        """Return the URL of a path, with credentials if given."""
        return f"http://{credentials and credentials + '@'}{self.host}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
