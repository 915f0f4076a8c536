"""Authentication by a shared token: a bearer token (RFC 6750), or a cookie for browsers."""

import hashlib
import hmac
from collections.abc import Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from genre_edge.errors import ParameterError
from genre_edge.station.http.errors import error_response

_TOKEN_LENGTHS = range(8, 257)
_RESERVED = frozenset('&#+%;,"\\')  # have a meaning in URLs or cookies
_COOKIE_MAX_AGE_S = 400 * 86400  # the longest that browsers allow


def validate_token(token: str) -> str:
    """Return `token` if a header, a URL and a cookie can carry it.

    Raises:
        ParameterError: the token is too short, too long or has other characters; the message does not contain it.
    """
    is_printable = token.isascii() and all("!" <= c <= "~" for c in token)
    if len(token) not in _TOKEN_LENGTHS or not is_printable or set(token) & _RESERVED:
        raise ParameterError('the token must be 8 to 256 letters, digits or signs (none of & # + % ; , " \\ or space)')
    return token


class Token:
    """The token that clients must send. The cookie contains a digest of it, so that browsers do not store the token.

    Args:
        token: see `validate_token`.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        digest = hmac.new(self._token, b"genre-edge cookie", hashlib.sha256).hexdigest()
        self._cookie_name = f"genre_edge_{digest[:8]}"  # differs between stations on one host with different tokens
        self._cookie_value = digest[8:]

    def matches(self, token: str) -> bool:
        """Return True if `token` is the token; compares in constant time."""
        return hmac.compare_digest(self._token, token.encode())

    def authorizes(self, request: Request) -> bool:
        """Return True if the Authorization header has the token, or the cookie its digest."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.matches(token.strip()):
            return True
        cookie = request.cookies.get(self._cookie_name, "")
        return hmac.compare_digest(self._cookie_value.encode(), cookie.encode())

    def set_cookie(self, response: Response) -> None:
        """Set the cookie that authorizes a browser."""
        response.set_cookie(
            self._cookie_name, self._cookie_value, max_age=_COOKIE_MAX_AGE_S, httponly=True, samesite="strict"
        )


class TokenMiddleware:
    """Middleware that answers 401 to requests without the token, except for public paths.

    Args:
        app: the application that handles the other requests.
        token: the token.
        public_paths: paths that need no token.
        public_folders: folders whose files need no token, without the final slash; their subfolders do need it.
    """

    def __init__(
        self, app: ASGIApp, token: Token, public_paths: Collection[str], public_folders: Collection[str]
    ) -> None:
        self.app, self._token = app, token
        self._public_paths, self._public_folders = public_paths, public_folders

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_public(scope["path"]) or self._token.authorizes(Request(scope)):
            await self.app(scope, receive, send)
        else:
            challenge = {"www-authenticate": 'Bearer realm="genre-edge"'}
            response = error_response(401, "a token is required", challenge)
            await response(scope, receive, send)

    def _is_public(self, path: str) -> bool:
        """Check the path of the ASGI scope, because the path of `Request.url` depends on the client's Host header."""
        return path in self._public_paths or path.rpartition("/")[0] in self._public_folders
