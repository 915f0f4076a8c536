"""What stands before every answer: who may ask, how large a question may be, and the headers that protect a browser."""

import hashlib
import hmac
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genre_edge.errors import ParameterError

MAX_BODY = 4096  # bytes; no question of ours has any
_TOKEN_LENGTHS = range(8, 257)
_HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def check_token(token: str) -> str:
    """A token that a header and an address can carry. Raises ParameterError, which does not tell it."""
    printable = token.isascii() and all("!" <= c <= "~" for c in token) and not set(token) & set('&#+%;,"\\')
    if len(token) not in _TOKEN_LENGTHS or not printable:
        raise ParameterError('the token must be 8 to 256 letters, digits or signs (none of & # + % ; , " \\ or space)')
    return token


def error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """An error as JSON."""
    return JSONResponse({"error": text}, status, headers)


class Token:
    """The secret that a caller must know. A cookie carries a digest of it, so that it is not kept in browsers."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        digest = hmac.new(self._token, b"genre-edge cookie", hashlib.sha256).hexdigest()
        self._cookie, self._value = f"genre_edge_{digest[:8]}", digest[8:]  # stations on one host do not collide

    def matches(self, given: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self._token, given.encode())

    def allows(self, request: Request) -> bool:
        """Whether a header or the cookie proves it."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.matches(given.strip()):
            return True
        return hmac.compare_digest(self._value.encode(), request.cookies.get(self._cookie, "").encode())

    def remember(self, response: Response) -> None:
        """Give the browser the cookie."""
        response.set_cookie(self._cookie, self._value, max_age=400 * 86400, httponly=True, samesite="strict")


class Guard:
    """ASGI middleware.

    Args:
        token: None lets everybody in.
        public: paths that need no token; one that ends with / stands for all below it.
        hosts: names by which this server may be called; None for any. On loopback this keeps out pages of strangers
            that let their own name point here.
    """

    def __init__(self, app: ASGIApp, token: Token | None, public: frozenset[str], hosts: frozenset[str] | None) -> None:
        self.app, self._token, self._public, self._hosts = app, token, public, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._refusal(Request(scope)) or self.app
        await answer(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        if self._hosts is not None and _host(request) not in self._hosts:
            return error(421, "this name is not served here")
        if _body_size(request) > MAX_BODY:
            return error(413, f"a body may have {MAX_BODY} bytes", {"connection": "close"})
        path: str = request.scope["path"]  # request.url would believe what the host header makes of it
        public = path in self._public or path[: path.rfind("/") + 1] in self._public - {"/"}
        if self._token is None or public or self._token.allows(request):
            return None
        return error(401, "a token is needed", {"www-authenticate": 'Bearer realm="genre-edge"'})


def _host(request: Request) -> str:
    """The host that was asked for, lower case, without its port."""
    host = request.headers.get("host", "").lower()
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]


def _body_size(request: Request) -> float:
    """As it is announced; one without an announced end is too large."""
    if "transfer-encoding" in request.headers:
        return float("inf")
    length = request.headers.get("content-length", "0")
    return int(length) if length.isdecimal() and len(length) < 20 else float("inf")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            _protect(message)
        await send(message)

    return sending


def _protect(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers[name] = value
    headers.setdefault("cache-control", "no-store")
