"""Connection limits that uvicorn has no settings for, and a main loop that wakes up less often.

The only module that overrides parts of uvicorn. They are not a public interface, so pyproject.toml admits tested
versions only, and `tests/station/http/test_connection_limits.py` fails if a new version lacks them.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from genre_edge.station.http.acceptor import Acceptor, ConnectionLimits

log = logging.getLogger("genre_edge.http")

MAX_SERVED_CONNECTIONS = 64  # requests on further connections are answered 503
IDLE_TIMEOUT_S = 30.0
_TICK_INTERVAL_S = 1.0


class LimitedConnection(H11Protocol):
    """HTTP/1.1 connection that answers 503 if many others are open, and is aborted when idle for `IDLE_TIMEOUT_S`.

    A connection is idle unless it has a pending or recent response and an empty write buffer: slow senders and slow
    readers count as idle.

    Args:
        server: the server that accepted the connection.
        on_lost: called when the connection is lost.
    """

    def __init__(self, server: "LimitedServer", on_lost: Callable[[], None]) -> None:
        super().__init__(server.config, server.server_state, server.lifespan.state)
        self._on_lost = on_lost
        self._last_active_s, self._has_recent_response = time.monotonic(), False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Apply the limits to a new connection."""
        super().connection_made(transport)
        # Set for each connection: uvicorn's own limit would also refuse requests on earlier connections.
        self.limit_concurrency = 0 if len(self.connections) > MAX_SERVED_CONNECTIONS else None

    def connection_lost(self, error: Exception | None) -> None:
        """Make room for another connection."""
        try:
            super().connection_lost(error)
        finally:
            self._on_lost()

    def on_response_complete(self) -> None:
        """Record the response: at most idle checks, a keep-alive connection has no pending request."""
        self._has_recent_response = True
        super().on_response_complete()

    def abort_if_idle(self, now: float) -> None:
        """Abort the connection if it is idle; `now` is the monotonic clock in seconds."""
        has_pending_response = self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body
        has_response = self._has_recent_response or has_pending_response
        if has_response and self.transport.get_write_buffer_size() == 0:
            self._last_active_s, self._has_recent_response = now, False
        if now - self._last_active_s > IDLE_TIMEOUT_S:
            self.transport.abort()

    def abort_if_unread(self) -> None:
        """Abort the connection if its client has not read all of the response, which would delay the shutdown."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()


class LimitedServer(uvicorn.Server):
    """Uvicorn server with an `Acceptor`, whose main loop ticks once a second instead of ten times, which saves CPU.

    Args:
        config: uvicorn's settings.
        listener: a listening socket.
    """

    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept connections."""
        await super().startup(sockets=[])
        limits = ConnectionLimits.from_descriptors()
        self._acceptor = Acceptor(self._listener, lambda on_lost: LimitedConnection(self, on_lost), limits)
        self.servers = [self._acceptor]  # type: ignore[list-item]  # uvicorn calls close and wait_closed

    async def main_loop(self) -> None:
        """Tick until `request_shutdown`."""
        self._wake_up = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not self.should_exit:
            try:
                await self._tick()
                await asyncio.wait_for(self._wake_up.wait(), _TICK_INTERVAL_S)
            except asyncio.TimeoutError:
                continue
            except MemoryError:
                await asyncio.sleep(_TICK_INTERVAL_S)

    async def _tick(self) -> None:
        await self.on_tick(0)  # the argument 0 makes uvicorn update the Date header of responses
        now = time.monotonic()
        for connection in self._connections():
            connection.abort_if_idle(now)
        self._acceptor.tick()

    def _connections(self) -> list[LimitedConnection]:
        return [item for item in self.server_state.connections if isinstance(item, LimitedConnection)]

    def request_shutdown(self) -> None:
        """Begin a graceful shutdown immediately. Thread-safe."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(self._begin_shutdown)

    def _begin_shutdown(self) -> None:
        self._wake_up.set()
        for connection in self._connections():
            connection.abort_if_unread()
