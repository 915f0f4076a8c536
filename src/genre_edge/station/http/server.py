"""uvicorn in a thread of its own, with limits for clients that mean no good or are merely slow."""

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from genre_edge.errors import GenreEdgeError

MAX_CLIENTS = 64  # connections that are served; more are answered 503
MAX_CONNECTIONS = 128  # more are closed at once
MAX_OF_ONE_ADDRESS = 32  # the same, so that nobody alone shuts out the others
MAX_HEAD = 16384  # bytes of a request's first part
SLOW_S = 30.0  # in which a request must have come, or a client must have read what was sent
_CHECK_S = 5.0
_KEEP_ALIVE_S = 5
_TICK_S = 1.0
_GRACE_S = 1  # for answers that are being given when the server ends
_SEND_BUFFER = 65536  # bytes in the kernel, a connection; its own default can be megabytes


class Connection(H11Protocol):
    """A client that is closed when there are too many, or when it keeps the server waiting."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._well_s, self._answered = time.monotonic(), False
        if len(self.connections) > MAX_CONNECTIONS or self._of_one_address() > MAX_OF_ONE_ADDRESS:
            transport.abort()
            return
        # Those that came first stay served; uvicorn's own limit would turn on all.
        self.limit_concurrency = 0 if len(self.connections) > MAX_CLIENTS else None
        self.loop.call_later(_CHECK_S, self._check)

    def _of_one_address(self) -> int:
        """Connections of this client's address, this one among them."""
        address = self.client and self.client[0]
        clients = [one.client for one in self.connections if isinstance(one, Connection)]
        return sum((client and client[0]) == address for client in clients)

    def let_go(self) -> None:
        """End at once what could not end in good order, as the client does not read."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Remember it: a client that asks now and then over one connection is mostly not asking."""
        self._answered = True
        super().on_response_complete()

    def _check(self) -> None:
        """Well is who asks, or has got an answer lately, and has read; others have `SLOW_S`."""
        if self not in self.connections:
            return
        now = time.monotonic()
        asked = self.cycle is not None and not self.cycle.response_complete
        well = self._answered or (asked and not self.cycle.more_body)
        if well and self.transport.get_write_buffer_size() == 0:
            self._well_s, self._answered = now, False
        if now - self._well_s > SLOW_S:
            self.transport.abort()
        else:
            self.loop.call_later(_CHECK_S, self._check)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises GenreEdgeError."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        dual = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(address[:2], family=family, backlog=128, dualstack_ipv6=dual)
    except socket.gaierror as error:
        raise GenreEdgeError(f"{host}: {error.strerror}") from None
    except OSError as error:
        raise GenreEdgeError(f"{host} port {port}: {os.strerror(error.errno or 0)}") from None
    except UnicodeError:
        raise GenreEdgeError(f"{host}: no name of a host") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)  # accepted ones inherit it
    return listener


def local_names(listener: socket.socket, host: str) -> frozenset[str] | None:
    """By which names a socket can be called that only this machine reaches; None if others reach it."""
    if not ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback:
        return None
    return frozenset(["localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host.lower()])


class _Uvicorn(uvicorn.Server):
    """Looks once a second whether there is something to do. uvicorn's own ten times a second are felt on a Pi."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        self._ending = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):  # 0: the second in which it renews the date of its answers
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_S)

    def end(self) -> None:
        """Called by another thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        self._ending.set()
        for connection in tuple(self.server_state.connections):
            assert isinstance(connection, Connection)
            connection.let_go()


class Server:
    """Serves an application on a socket until it is told to stop."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # what a stranger does fills no log
        self._listener = listener
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_GRACE_S,
                h11_max_incomplete_event_size=MAX_HEAD,
            )
        )
        # Not in the main thread: there uvicorn would take the signals.
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    @property
    def started(self) -> bool:
        """Whether it takes clients by now."""
        return self._server.started

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Take no more clients and let those go that are there; does not wait for that."""
        self._server.end()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread. Returns whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()
