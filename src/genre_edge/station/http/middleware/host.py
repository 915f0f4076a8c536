"""Allowed hosts: protection against DNS rebinding.

Starlette's `TrustedHostMiddleware` answers 400 in plain text; this one answers 421 (RFC 9110, section 15.5.20) in JSON.
"""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from genre_edge.station.http.errors import error_response


class AllowedHostsMiddleware:
    """Middleware that answers 421 unless the Host header names an allowed host, with any port.

    Args:
        app: the application that handles the other requests.
        allowed_hosts: host names in lower case; IPv6 addresses in brackets.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: frozenset[str]) -> None:
        self.app, self._allowed_hosts = app, allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _host(Request(scope)) not in self._allowed_hosts:
            response = error_response(421, "the Host header names another host")
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _host(request: Request) -> str:
    """Return the host of the Host header in lower case, without its port."""
    host = request.headers.get("host", "").lower()
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
