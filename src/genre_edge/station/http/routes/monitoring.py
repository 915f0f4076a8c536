"""`/healthz`, `/metrics` and `/openapi.json`: for monitoring and API tools."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from genre_edge.station.http.metrics import CONTENT_TYPE, StationCollector
from genre_edge.station.http.query import query_parameters
from genre_edge.station.station import Station

OPENAPI_PATH = Path(__file__).parents[1] / "openapi.json"
_OPENAPI = OPENAPI_PATH.read_bytes()


async def healthz(request: Request) -> Response:
    """Answer 200 while audio arrives or the station is paused, else 503."""
    query_parameters(request)
    station: Station = request.app.state.station
    listening, paused = station.listening, station.paused
    return JSONResponse({"listening": listening, "paused": paused}, 200 if listening or paused else 503)


async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus text format."""
    query_parameters(request)
    collector: StationCollector = request.app.state.metrics
    return Response(collector.exposition(), media_type=CONTENT_TYPE)


async def openapi(request: Request) -> Response:
    """Return the description of the API (OpenAPI 3.1)."""
    return Response(_OPENAPI, media_type="application/json")


ROUTES = [
    Route("/healthz", healthz),
    Route("/metrics", metrics),
    Route("/openapi.json", openapi),
]
