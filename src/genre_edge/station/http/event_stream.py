"""Server-sent events: the station's events for the web page and other HTTP clients.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import logging
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from genre_edge.station.hub import Event
from genre_edge.station.station import Station
from genre_edge.system.shortage import describe_shortage

log = logging.getLogger("genre_edge.http")

MAX_STREAMS = 16  # open at a time
MAX_STREAMS_PER_ADDRESS = 8  # so that one client cannot lock out the others
EVENT_KINDS = frozenset(["verdict", "frames", "status", "end"])
STATUS_INTERVAL_S = 2.0
_RETRY = b"retry: 2000\n\n"  # milliseconds before a browser reconnects
_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class EventStream(Response):
    """Response that sends server-sent events until the client disconnects or the station ends.

    Slow clients lose events.

    Args:
        station: the station whose events are sent.
        open_streams: the set of open streams; contains this one while it is open.
        address: the client's IP address.
    """

    def __init__(self, station: Station, open_streams: set["EventStream"], address: str | None) -> None:
        super().__init__()
        self.address = address
        self._station, self._open_streams = station, open_streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._open_streams.add(self)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if scope["method"] != "HEAD":
                await self._send_events(receive, send)
            await send(_body(b"", more_body=False))
        finally:
            self._open_streams.discard(self)

    async def _send_events(self, receive: Receive, send: Send) -> None:
        loop, wake_up = asyncio.get_running_loop(), asyncio.Event()

        def notify() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(wake_up.set)

        station = self._station
        with contextlib.closing(station.hub.subscribe(EVENT_KINDS, notify)) as subscription:
            disconnect = loop.create_task(_wait_for_disconnect(receive))
            disconnect.add_done_callback(lambda _: wake_up.set())
            try:
                initial = [Event("status", station.status()), *station.recent_spectrogram.copy()]
                await send(_body(_RETRY + b"".join(event.sse for event in initial)))
                while True:
                    await wake_up.wait()
                    wake_up.clear()
                    events = subscription.drain()
                    if disconnect.done() or any(event.kind == "end" for event in events):
                        return
                    await send(_body(b"".join(event.sse for event in events)))
            finally:
                disconnect.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(content: bytes, more_body: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more_body}


async def publish_status(station: Station) -> None:
    """Publish a `status` event every `STATUS_INTERVAL_S` seconds while there are subscribers. Runs until cancelled."""
    while True:
        await asyncio.sleep(STATUS_INTERVAL_S)
        try:
            if station.hub.subscribers:
                station.hub.publish(Event("status", station.status()))
        except Exception as error:
            if (shortage := describe_shortage(error)) is None:
                raise
            log.warning("web server: %s; a status event is lost", shortage)


def end_streams(station: Station) -> None:
    """End all event streams of a station. Thread-safe."""
    station.hub.publish(Event("end", {}))
