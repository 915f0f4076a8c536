"""The HTTP server: uvicorn in its own thread."""

import errno
import ipaddress
import logging
import os
import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from genre_edge.errors import GenreEdgeError, ParameterError
from genre_edge.station.http.acceptor import BACKLOG
from genre_edge.station.http.connection_limits import LimitedServer
from genre_edge.system.log_limit import limit_log

log = logging.getLogger("genre_edge.http")

MAX_HEADER_SIZE = 16384  # bytes of a request line with its headers
_KEEP_ALIVE_TIMEOUT_S = 5
_SHUTDOWN_TIMEOUT_S = 1  # for pending responses
_RESTART_DELAY_S = 0.5
_MAX_MISSED_TICKS = 60  # polls of the service without a tick of the server
_SEND_BUFFER_SIZE = 65536  # bytes for each connection in the kernel, whose default can be megabytes


def bind(host: str, port: int, allow_public: bool = True) -> socket.socket:
    """Return a TCP socket that listens on `host` and `port`.

    Args:
        host: address or host name.
        port: port number; 0 for any free port.
        allow_public: allow an address that other machines can connect to.

    Raises:
        ParameterError: other machines could connect; no socket was opened.
        GenreEdgeError: the host is invalid or unknown, or the port is not available.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if not (allow_public or is_loopback(str(address[0]))):
            raise ParameterError(f"other machines can connect to {host}: set --token (GENRE_EDGE_TOKEN) or --insecure")
        is_dual_stack = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=is_dual_stack)
    except socket.gaierror as error:
        raise GenreEdgeError(f"{host}: {error.strerror}") from None
    except OSError as error:
        hint = "; ports below 1024 need privileges: choose another --port" if error.errno == errno.EACCES else ""
        raise GenreEdgeError(f"{host} port {port}: {os.strerror(error.errno or 0)}{hint}") from None
    except UnicodeError:
        raise GenreEdgeError(f"{host}: invalid host name") from None
    # Accepted sockets inherit both options. asyncio sets TCP_NODELAY only on sockets with proto=IPPROTO_TCP, but
    # create_server makes sockets with proto=0: Nagle's algorithm and delayed ACKs would add 40 ms to each keep-alive
    # request.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_SIZE)
    return listener


def is_loopback(address: str) -> bool:
    """Return True if only this machine can connect to an IP address."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


class Server:
    """HTTP server for an ASGI application, in its own thread.

    Args:
        app: the application.
        listener: see `bind`; closed when the server ends.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # invalid requests must not fill the log
        for name in ("uvicorn.error", "asyncio", "genre_edge.http"):
            limit_log(name)
        self._app, self._listener = app, listener
        self._stopping = False
        self._n_ticks = self._n_missed = 0  # of the main loop, at the last poll; polls since then
        self._server = self._create_server()
        # In the main thread uvicorn would install its own signal handlers.
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def _create_server(self) -> LimitedServer:
        return LimitedServer(
            uvicorn.Config(
                self._app,
                http=H11Protocol,
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_TIMEOUT_S,
                timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT_S,
                h11_max_incomplete_event_size=MAX_HEADER_SIZE,
            ),
            self._listener,
        )

    def _run(self) -> None:
        """Serve; start again if the event loop itself fails, for example out of memory."""
        has_started = False
        while True:
            try:
                return self._server.run([self._listener])  # closes the listener at its end
            except (Exception, SystemExit) as error:  # uvicorn exits if the application does not start
                has_started |= self._server.started
                if self._stopping or not has_started:
                    raise
                log.warning("web server: %r; starting again", error)
            time.sleep(_RESTART_DELAY_S)
            self._server = self._create_server()
            self._server.should_exit = self._stopping

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def url(self) -> str:
        """URL of the web page."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    @property
    def network_url(self) -> str | None:
        """URL of the web page for other machines; None if the server is bound to a loopback address."""
        host, port = self._listener.getsockname()[:2]
        if is_loopback(host):
            return None
        if not ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
            return self.url
        return f"http://{socket.gethostname().lower().partition('.')[0]}.local:{port}/"

    @property
    def started(self) -> bool:
        """True once the server accepts connections."""
        return self._server.started

    @property
    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    def poll(self) -> None:
        """Restart a server whose main loop has missed `_MAX_MISSED_TICKS`: the loop has lost its timer in a shortage.

        Called regularly by another thread.
        """
        n_ticks = self._server.n_ticks
        self._n_missed = self._n_missed + 1 if n_ticks == self._n_ticks else 0
        self._n_ticks = n_ticks
        if self._n_missed >= _MAX_MISSED_TICKS and n_ticks:
            self._n_missed = 0
            self._server.abort()

    def stop(self) -> None:
        """Begin to shut down: accept no more connections and close the open ones. Does not wait."""
        self._stopping = True
        self._server.request_shutdown()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread, at most `timeout_s` seconds. Return True if it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()
