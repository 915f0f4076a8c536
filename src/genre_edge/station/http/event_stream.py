"""Server-sent events: what the hub tells, to browsers and programs that listen by HTTP."""

import asyncio
import contextlib
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from genre_edge.station.hub import Event
from genre_edge.station.station import Station

KINDS = frozenset(["verdict", "frames", "status", "end"])
STATUS_S = 2.0
_RETRY = b"retry: 2000\n\n"  # milliseconds until a browser comes back
_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]


class EventStream(Response):
    """One client's stream, until it goes or the station ends. What a slow client misses is lost for it alone.

    It is among `streams` for as long as it lasts; `address` is the client's.
    """

    def __init__(self, station: Station, streams: set["EventStream"], address: str | None) -> None:
        super().__init__()
        self.address = address
        self._station, self._streams = station, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.add(self)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            if scope["method"] != "HEAD":
                await self._tell(receive, send)
            await send(_body(b"", more=False))
        finally:
            self._streams.discard(self)

    async def _tell(self, receive: Receive, send: Send) -> None:
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(news.set)

        station = self._station
        with contextlib.closing(station.hub.subscribe(KINDS, wake)) as subscription:
            gone = loop.create_task(_until_gone(receive))
            gone.add_done_callback(lambda _: news.set())
            try:
                first = [Event("status", station.status()), *station.recent_spectrogram.copy()]
                await send(_body(_RETRY + b"".join(event.sse for event in first)))
                while True:
                    await news.wait()
                    news.clear()
                    events = subscription.drain()
                    if gone.done() or any(event.kind == "end" for event in events):
                        return
                    await send(_body(b"".join(event.sse for event in events)))
            finally:
                gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(content: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def tell_status(station: Station) -> None:
    """Publish the status every `STATUS_S` seconds while there is somebody to read it."""
    while True:
        await asyncio.sleep(STATUS_S)
        if station.hub.subscribers:
            station.hub.publish(Event("status", station.status()))


def end_streams(station: Station) -> None:
    """Let every client go."""
    station.hub.publish(Event("end", {}))
