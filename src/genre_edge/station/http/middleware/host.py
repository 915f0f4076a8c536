"""Allowed hosts: protection against DNS rebinding.

A web page in a user's browser can let its own name resolve to the station's address, and then read the station
without a token. Its requests carry the page's name in the Host header. Starlette's `TrustedHostMiddleware` answers 400
in plain text; this one answers 421 (RFC 9110, section 15.5.20) in JSON.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from genre_edge.errors import ParameterError
from genre_edge.station.http.errors import error_response

_LOOPBACK_NAMES = frozenset(["localhost", "127.0.0.1", "[::1]"])
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


@dataclass(frozen=True)
class AllowedHosts:
    """Hosts that the Host header may name, with any port.

    Attributes:
        names: host names and addresses in lower case; IPv6 addresses in brackets.
        any_address: allow every IP address: a browser that rebinding deceives sends a name.
    """

    names: frozenset[str]
    any_address: bool = False

    @classmethod
    def of_loopback(cls, host: str, more: Iterable[str] = ()) -> "AllowedHosts":
        """Return the hosts for a server that is bound to the loopback address or name `host`."""
        return cls(_LOOPBACK_NAMES | {_as_header(host)} | set(map(normalise_host, more)))

    @classmethod
    def of_network(cls, host: str, more: Iterable[str] = ()) -> "AllowedHosts":
        """Return the hosts for a server on the network: addresses, `host`, and this machine's name, also as .local."""
        name = socket.gethostname().lower()
        label = name.partition(".")[0]
        own = {name, label, f"{label}.local", _as_header(host)}
        return cls(_LOOPBACK_NAMES | own | set(map(normalise_host, more)), any_address=True)

    def allows(self, host: str) -> bool:
        """Return whether a Host header's host, see `AllowedHostsMiddleware`, is allowed."""
        return host in self.names or (self.any_address and _is_address(host))


def normalise_host(host: str) -> str:
    """Return a host name or address as in a Host header: in lower case, without port, IPv6 in brackets.

    Raises:
        ParameterError: it is neither.
    """
    name = _as_header(host)
    if _is_address(name) or _NAME.fullmatch(name):
        return name
    raise ParameterError(f"--allow-host must be a host name or an IP address without a port, got {host!r}")


def _as_header(host: str) -> str:
    return f"[{host.lower()}]" if ":" in host else host.lower()


def _is_address(host: str) -> bool:
    try:
        if host.startswith("["):
            return bool(ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]").partition("%")[0]))
        return bool(ipaddress.IPv4Address(host))
    except ValueError:
        return False


class AllowedHostsMiddleware:
    """Middleware that answers 421 unless the Host header names an allowed host.

    Args:
        app: the application that handles the other requests.
        allowed_hosts: the hosts.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: AllowedHosts) -> None:
        self.app, self._allowed_hosts = app, allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._allowed_hosts.allows(_host(Request(scope))):
            response = error_response(421, "the Host header names another host; --allow-host NAME allows it")
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _host(request: Request) -> str:
    """Return the host of the Host header in lower case, without its port."""
    host = request.headers.get("host", "").lower()
    return host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0].rstrip(".")
