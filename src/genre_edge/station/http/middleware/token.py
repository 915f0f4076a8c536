"""Authentication by a shared token: a bearer token (RFC 6750), or a cookie for browsers."""

import hashlib
import hmac
from collections.abc import Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from genre_edge.errors import ParameterError
from genre_edge.station.http.errors import error_response
from genre_edge.station.http.token_throttle import TokenThrottle

_TOKEN_LENGTHS = range(16, 257)
_HINT = 'python3 -c "import secrets; print(secrets.token_urlsafe())"'
_RESERVED = frozenset('&#+%;,"\\')  # have a meaning in URLs or cookies
_CHALLENGE = {"www-authenticate": 'Bearer realm="genre-edge"'}
_COOKIE_MAX_AGE_S = 400 * 86400  # the longest that browsers allow


def validate_token(token: str) -> str:
    """Return `token` if a header, a URL and a cookie can carry it.

    Raises:
        ParameterError: the token is too short, too long or has other characters; the message does not contain it.
    """
    is_printable = token.isascii() and all("!" <= c <= "~" for c in token)
    if len(token) not in _TOKEN_LENGTHS or not is_printable or set(token) & _RESERVED:
        rule = 'the token must be 16 to 256 letters, digits or signs (none of & # + % ; , " \\ or space)'
        raise ParameterError(f"{rule}; to make one, run: {_HINT}")
    return token


class Token:
    """The token that clients must send. The cookie contains a digest of it, so that browsers do not store the token.

    Wrong tokens are throttled. A right cookie is always accepted: no client can guess it.

    Args:
        token: see `validate_token`.

    Attributes:
        throttle: counts wrong tokens, and decides whether tokens of an address are compared.

    Raises:
        ParameterError: the token is invalid.
    """

    def __init__(self, token: str) -> None:
        self._token = validate_token(token).encode()
        self.throttle = TokenThrottle()
        digest = hmac.new(self._token, b"genre-edge cookie", hashlib.sha256).hexdigest()
        self._cookie_name = f"genre_edge_{digest[:8]}"  # differs between stations on one host with different tokens
        self._cookie_value = digest[8:]

    def check(self, token: str | None, request: Request) -> Response | None:
        """Compare a token in constant time.

        Args:
            token: the token that the client sent; None if it sent none.
            request: the client's request.

        Returns:
            None if the token is right; otherwise the response: 401, or 429 while the client is throttled.
        """
        address = request.client and request.client.host
        if token is None:
            return error_response(401, "a token is required", _CHALLENGE)
        if wait_s := self.throttle.wait_s(address):
            return error_response(429, f"too many wrong tokens; try again in {wait_s} s", {"retry-after": f"{wait_s}"})
        if not hmac.compare_digest(self._token, token.encode()):
            self.throttle.record_wrong(address)
            return error_response(401, "wrong token", _CHALLENGE)
        self.throttle.record_right(address)
        return None

    def check_request(self, request: Request) -> Response | None:
        """Check the Authorization header, or the cookie; otherwise like `check`."""
        cookie = request.cookies.get(self._cookie_name)
        if cookie is not None and hmac.compare_digest(self._cookie_value.encode(), cookie.encode()):
            return None
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.check(token.strip() if scheme.lower() == "bearer" else cookie, request)

    def set_cookie(self, response: Response) -> None:
        """Set the cookie that authorizes a browser."""
        response.set_cookie(
            self._cookie_name, self._cookie_value, max_age=_COOKIE_MAX_AGE_S, httponly=True, samesite="strict"
        )


class TokenMiddleware:
    """Middleware that answers 401 or 429 to requests without the token, except for public paths.

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
        if scope["type"] == "http" and not self._is_public(scope["path"]):
            response = self._token.check_request(Request(scope))
            if response is not None:
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _is_public(self, path: str) -> bool:
        """Check the path of the ASGI scope, because the path of `Request.url` depends on the client's Host header."""
        return path in self._public_paths or path.rpartition("/")[0] in self._public_folders
