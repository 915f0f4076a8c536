"""`/api/v1/`: status, history and events."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genre_edge.station.history.store import BIN_S
from genre_edge.station.http.errors import error_response
from genre_edge.station.http.event_stream import MAX_STREAMS, MAX_STREAMS_PER_ADDRESS, EventStream
from genre_edge.station.http.query import parse_integer, parse_number, parse_verdict_id, query_parameters
from genre_edge.station.station import Station

MAX_VERDICTS = 1000  # in one response

P = ParamSpec("P")
T = TypeVar("T")


async def status(request: Request) -> Response:
    """Return the current state and the latest verdict."""
    query_parameters(request)
    station: Station = request.app.state.station
    return JSONResponse(station.status())


async def history(request: Request) -> Response:
    """Return the newest `limit` verdicts at or after `since` (unix seconds), or the one with an `id`."""
    parameters = query_parameters(request, "since", "limit", "id")
    since = parse_number("since", parameters.get("since", "0"))
    limit = parse_integer("limit", parameters.get("limit", str(MAX_VERDICTS)), MAX_VERDICTS)
    station: Station = request.app.state.station
    if "id" in parameters:
        identifier = parse_verdict_id("id", parameters["id"])
        verdicts = await _run_in_reader(request, station.history.find_json, identifier, since)
    else:
        verdicts = await _run_in_reader(request, station.history.verdicts_json, since, limit)
    return Response(f'{{"verdicts":[{",".join(verdicts)}]}}', media_type="application/json")


async def day(request: Request) -> Response:
    """Return the number of verdicts by genre over the last 24 hours."""
    query_parameters(request)
    station: Station = request.app.state.station
    return JSONResponse({"bin_s": BIN_S, "bins": await _run_in_reader(request, station.history.day_bins)})


async def events(request: Request) -> Response:
    """Return a stream of server-sent events, or 503 if too many streams are open."""
    query_parameters(request)
    station: Station = request.app.state.station
    open_streams: set[EventStream] = request.app.state.event_streams
    address = request.client and request.client.host
    message = ""
    if len(open_streams) >= MAX_STREAMS:
        message = f"all {MAX_STREAMS} event streams are in use"
    elif sum(stream.address == address for stream in open_streams) >= MAX_STREAMS_PER_ADDRESS:
        message = f"all {MAX_STREAMS_PER_ADDRESS} event streams of this address are in use"
    if message:
        return error_response(503, message, {"retry-after": "5"})
    return EventStream(station, open_streams, address)


async def _run_in_reader(request: Request, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function that may wait for a disk in the history reader's thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(request.app.state.history_reader, lambda: function(*args, **kwargs))


ROUTES = [
    Route("/api/v1/status", status),
    Route("/api/v1/history", history),
    Route("/api/v1/day", day),
    Route("/api/v1/events", events),
]
