"""`Acceptor`: accepts connections up to a limit that leaves file descriptors for audio, history and MQTT.

asyncio's own accept loop has no limit: it accepts as many connections as there are descriptors, and then logs a
traceback for each one that it cannot accept.
"""

import asyncio
import logging
import resource
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from genre_edge.station.http.client_network import client_network
from genre_edge.system.shortage import describe_shortage

log = logging.getLogger("genre_edge")

BACKLOG = 128  # connections that wait in the kernel; it drops further ones, and their clients try again
MAX_CONNECTIONS = 128  # further connections wait
MAX_CONNECTIONS_PER_ADDRESS = 32  # further ones are closed, so that one client cannot lock out the others
MIN_CONNECTIONS = 4  # even if descriptors are scarce
RESERVED_DESCRIPTORS = 32  # for ffmpeg's pipes, the history, MQTT and files of the page
_DESCRIPTORS = Path("/dev/fd")  # on Linux a link to /proc/self/fd
_BATCH = 32  # connections accepted before other events of the loop are handled
_CALM_S = 10.0  # without an incident, after which a condition has ended


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits on open connections.

    Attributes:
        total: number of connections; further ones wait in the backlog.
        per_address: number of connections of one IPv4 address or IPv6 /64 network; further ones are closed.
    """

    total: int = MAX_CONNECTIONS
    per_address: int = MAX_CONNECTIONS_PER_ADDRESS

    @classmethod
    def from_descriptors(cls) -> "ConnectionLimits":
        """Return limits that leave `RESERVED_DESCRIPTORS` of the process's file descriptors (RLIMIT_NOFILE) free."""
        soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if soft_limit == resource.RLIM_INFINITY:
            return cls()
        available = soft_limit - _count_open_descriptors() - RESERVED_DESCRIPTORS
        total = max(MIN_CONNECTIONS, min(MAX_CONNECTIONS, available))
        return cls(total, max(2, min(MAX_CONNECTIONS_PER_ADDRESS, total // 2)))


def _count_open_descriptors() -> int:
    try:
        return sum(1 for _ in _DESCRIPTORS.iterdir())
    except OSError:
        return 32  # unknown: assume 32


class Condition:
    """Condition such as a reached limit, which is logged once when it begins and once when it has ended.

    Args:
        end_message: logged when there was no incident for `_CALM_S`.
    """

    def __init__(self, end_message: str) -> None:
        self._end_message = end_message
        self._last_incident_s, self._active = 0.0, False

    def report(self, message: str) -> None:
        """Record an incident; log the message if it begins the condition."""
        self._last_incident_s = time.monotonic()
        if not self._active:
            self._active = True
            log.warning("web server: %s", message)

    def update(self) -> None:
        """Log the end of the condition if it has ended."""
        if self._active and time.monotonic() - self._last_incident_s >= _CALM_S:
            self._active = False
            log.warning("web server: %s", self._end_message)


class Acceptor:
    """Accepts connections in the running event loop. Failures are retried, and never raised.

    Args:
        listener: a listening socket; not closed by the acceptor.
        create_protocol: creates a connection's protocol, which must call the argument when the connection is lost.
        limits: limits on open connections.
    """

    def __init__(
        self,
        listener: socket.socket,
        create_protocol: Callable[[Callable[[], None]], asyncio.Protocol],
        limits: ConnectionLimits,
    ) -> None:
        self._listener, self._create_protocol, self._limits = listener, create_protocol, limits
        self._loop = asyncio.get_running_loop()
        self._open: Counter[str] = Counter()  # connections by address
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_accepting = self._closed = False
        self._crowded = Condition("connections are accepted again")
        self._flooded = Condition("no address exceeds its connection limit any more")
        self._exhausted = Condition("accepting connections works again")
        listener.setblocking(False)
        self._resume()

    def tick(self) -> None:
        """Try again to accept after a shortage, and log what has ended. Called about once a second."""
        if self._open.total() < self._limits.total:
            self._resume()
        for condition in (self._crowded, self._flooded, self._exhausted):
            condition.update()

    def close(self) -> None:
        """Accept no more connections."""
        self._closed = True
        self._pause()

    async def wait_closed(self) -> None:
        """Return at once: the protocols close their connections."""

    def _resume(self) -> None:
        if not (self._closed or self._is_accepting):
            self._loop.add_reader(self._listener, self._accept_batch)
            self._is_accepting = True

    def _pause(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            self._loop.remove_reader(self._listener)

    def _accept_batch(self) -> None:
        try:
            for _ in range(_BATCH):
                if self._open.total() >= self._limits.total:
                    self._pause()  # until a connection is lost
                    self._crowded.report("connection limit reached; further connections wait")
                    return
                client, address = self._listener.accept()
                self._admit(client, client_network(address[0]))
        except (BlockingIOError, InterruptedError, ConnectionError):
            return  # none is waiting any more
        except (OSError, MemoryError) as error:
            self._wait_for_resources(error)

    def _wait_for_resources(self, error: BaseException) -> None:
        """Pause until the next tick, or until a connection is lost."""
        self._pause()
        reason = describe_shortage(error) or str(error)
        self._exhausted.report(f"connections cannot be accepted: {reason}; they wait")

    def _admit(self, client: socket.socket, address: str) -> None:
        """Start a connection, or close it if its address has too many."""
        if self._open[address] >= self._limits.per_address:
            client.close()
            n = self._limits.per_address
            self._flooded.report(f"{address} has {n} connections, the limit for one address; closing further ones")
            return
        slot = _Slot(lambda: self._release(address))
        self._open[address] += 1
        try:
            task = self._loop.create_task(self._connect(client, slot))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        except BaseException:
            client.close()
            slot.release()
            raise

    async def _connect(self, client: socket.socket, slot: "_Slot") -> None:
        try:
            client.setblocking(False)
            await self._loop.connect_accepted_socket(lambda: self._create_protocol(slot.release), client)
        except (OSError, MemoryError) as error:
            client.close()
            slot.release()
            self._wait_for_resources(error)

    def _release(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
        self._resume()


class _Slot:
    """One connection's share of the limits, which may be released more than once."""

    def __init__(self, on_release: Callable[[], None]) -> None:
        self._on_release, self._is_released = on_release, False

    def release(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._on_release()
