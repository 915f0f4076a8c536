"""Limit on the size of request bodies."""

import math

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from genre_edge.station.http.errors import error_response

MAX_BODY_SIZE = 4096  # bytes; no route reads a body


class BodySizeMiddleware:
    """Middleware that answers 413 if Content-Length exceeds `MAX_BODY_SIZE`, or a body has no Content-Length.

    Args:
        app: the application that handles the other requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _announced_size(Request(scope)) > MAX_BODY_SIZE:
            response = error_response(
                413,
                f"the request body must have at most {MAX_BODY_SIZE} bytes, and announce its size",
                {"connection": "close"},
            )
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _announced_size(request: Request) -> float:
    """Return the Content-Length in bytes; infinity for chunked bodies and invalid lengths."""
    if "transfer-encoding" in request.headers:
        return math.inf
    length = request.headers.get("content-length", "0")
    return int(length) if length.isdecimal() and len(length) < 20 else math.inf
