"""`/` and `/static/`: the web page. No token is required, because the files contain no data of the station."""

import os
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from genre_edge.station.http.middleware.token import Token

STATIC_DIR = Path(__file__).parents[1] / "static"
# Fixed here, because Python reads them from the system's tables, and browsers refuse module scripts of another type.
_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


class PageFiles(StaticFiles):
    """Static files with fixed content types, which browsers revalidate on each use."""

    def file_response(
        self, full_path: "str | os.PathLike[str]", stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return Starlette's response, 200 or 304, with the headers of the page's files."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = "no-cache"
        del response.headers["accept-ranges"]
        if response.status_code == 200:
            response.headers["content-type"] = _CONTENT_TYPES[Path(full_path).suffix]
        return response


_FILES = PageFiles(directory=STATIC_DIR)
_NAMES = frozenset(path.name for path in STATIC_DIR.iterdir() if path.suffix in _CONTENT_TYPES)


async def page(request: Request) -> Response:
    """Serve the page. With `?token=TOKEN`, set the cookie and redirect to `/`, so that no browser stores the token."""
    sent_token = request.query_params.get("token")
    if sent_token is None:
        return await _send_file("page.html", request)
    response = RedirectResponse("/", 303)
    token: Token | None = request.app.state.token
    if token is not None:
        if (error := token.check(sent_token, request)) is not None:
            return error
        token.set_cookie(response)
    return response


async def static_file(request: Request) -> Response:
    """Serve a file of the page, or answer 404."""
    name: str = request.path_params["name"]
    if name not in _NAMES:
        raise HTTPException(404)
    return await _send_file(name, request)


async def _send_file(name: str, request: Request) -> Response:
    """Serve a whole file. The Range header is ignored: files are small, and starlette's errors for it are not JSON."""
    request.scope["headers"] = [header for header in request.scope["headers"] if header[0] != b"range"]
    return await _FILES.get_response(name, request.scope)


ROUTES = [
    Route("/", page),
    Route("/static/{name}", static_file),  # not a Mount: a file has one path, without empty or dotted segments
]
