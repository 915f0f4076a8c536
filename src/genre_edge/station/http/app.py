"""The HTTP API of a station, and its page. openapi.json describes it."""

import asyncio
import contextlib
import hashlib
import math
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from genre_edge.errors import ParameterError
from genre_edge.station.history.store import BIN_S
from genre_edge.station.http.event_stream import EventStream, tell_status
from genre_edge.station.http.guard import Guard, Token, error
from genre_edge.station.http.metrics import CONTENT_TYPE, Metrics
from genre_edge.station.station import Station

MAX_STREAMS = 16  # clients of /api/v1/events at a time
MAX_STREAMS_OF_ONE = 8  # address, so that nobody alone shuts out the others
MAX_VERDICTS = 1000  # in one answer
PUBLIC = frozenset(["/", "/static/", "/healthz", "/openapi.json"])  # nothing that was heard
_STATIC = Path(__file__).parent / "static"
_OPENAPI = Path(__file__).parent / "openapi.json"
_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


@dataclass(frozen=True)
class File:
    """A file in memory, with a name for its content."""

    content: bytes
    kind: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "File":
        content = path.read_bytes()
        return cls(content, _KINDS[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:16]}"')

    def answer(self, request: Request) -> Response:
        """The file, or that the caller has it already."""
        headers = {"etag": self.etag, "cache-control": "no-cache"}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers | {"content-type": self.kind})


class Web:
    """The endpoints. All but `healthz` and files need the token, if there is one."""

    def __init__(self, station: Station, token: Token | None) -> None:
        self._station, self._token = station, token
        self._metrics = Metrics(station)
        self._streams: set[EventStream] = set()
        self._files = {path.name: File.read(path) for path in _STATIC.iterdir() if path.suffix in _KINDS}
        self._openapi = _OPENAPI.read_bytes()

    async def page(self, request: Request) -> Response:
        given = request.query_params.get("token")
        if given is None:
            return self._files["page.html"].answer(request)
        response = RedirectResponse("/", 303)  # an address without the token, for the browser to remember
        if self._token is not None:
            if not self._token.matches(given):
                return error(401, "this is not the token")
            self._token.remember(response)
        return response

    async def static(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        return file.answer(request)

    async def status(self, request: Request) -> Response:
        _parameters(request)
        return JSONResponse(self._station.status())

    async def history(self, request: Request) -> Response:
        given = _parameters(request, "since", "limit")
        since = _number("since", given.get("since", "0"), math.inf)
        limit = int(_number("limit", given.get("limit", str(MAX_VERDICTS)), MAX_VERDICTS, whole=True))
        verdicts = await self._read(self._station.history.verdicts_json, since, limit)
        return Response(f'{{"verdicts":[{",".join(verdicts)}]}}', media_type="application/json")

    async def day(self, request: Request) -> Response:
        _parameters(request)
        return JSONResponse({"bin_s": BIN_S, "bins": await self._read(self._station.history.day_bins)})

    async def events(self, request: Request) -> Response:
        _parameters(request)
        if len(self._streams) >= MAX_STREAMS:
            return error(503, f"{MAX_STREAMS} clients are listening already", {"retry-after": "5"})
        address = request.client and request.client.host
        if sum(stream.address == address for stream in self._streams) >= MAX_STREAMS_OF_ONE:
            text = f"{MAX_STREAMS_OF_ONE} clients of this address are listening already"
            return error(503, text, {"retry-after": "5"})
        return EventStream(self._station, self._streams, address)

    async def healthz(self, request: Request) -> Response:
        _parameters(request)
        listening = self._station.listening
        return JSONResponse({"listening": listening}, 200 if listening else 503)

    async def metrics(self, request: Request) -> Response:
        _parameters(request)
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        return Response(self._openapi, media_type="application/json")

    async def _read(self, what: Any, *arguments: float) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._reader, what, *arguments)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._reader = ThreadPoolExecutor(1, "history reader")  # a disk may take its time
        telling = asyncio.get_running_loop().create_task(tell_status(self._station))
        yield
        telling.cancel()
        self._reader.shutdown(wait=False, cancel_futures=True)


def _parameters(request: Request, *known: str) -> dict[str, str]:
    """The query, in which nothing is unknown or said twice. Raises ParameterError."""
    given = request.query_params.multi_items()
    for name, _ in given:
        if name not in known:
            raise ParameterError(f"{name[:40]!r} is no parameter here")
    if len(dict(given)) < len(given):
        raise ParameterError("a parameter is given twice")
    return dict(given)


def _number(name: str, text: str, most: float, whole: bool = False) -> float:
    """A finite number from 0 (a whole one from 1) to `most`. Raises ParameterError."""
    number = math.nan
    if len(text) <= 40 and text.isascii():
        with contextlib.suppress(ValueError):
            number = int(text) if whole else float(text)
    if not whole <= number <= most or math.isinf(number):
        kind = f"an integer from 1 to {most}" if whole else "a number, 0 or more"
        raise ParameterError(f"{name} must be {kind}, got {text[:40]!r}")
    return number


async def _refused(request: Request, problem: Exception) -> Response:
    return error(422, str(problem))


async def _not_served(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    return error(problem.status_code, problem.detail, dict(problem.headers or {}))


async def _broken(request: Request, problem: Exception) -> Response:
    return error(500, "a fault in the station; its log says more")


def application(station: Station, token: Token | None, hosts: frozenset[str] | None) -> Guard:
    """The ASGI application. `hosts` as in Guard, which stands before all else, the answer to a fault included."""
    web = Web(station, token)
    app = Starlette(
        routes=[
            Route("/", web.page),
            Route("/static/{name}", web.static),
            Route("/api/v1/status", web.status),
            Route("/api/v1/history", web.history),
            Route("/api/v1/day", web.day),
            Route("/api/v1/events", web.events),
            Route("/healthz", web.healthz),
            Route("/metrics", web.metrics),
            Route("/openapi.json", web.openapi),
        ],
        exception_handlers={ParameterError: _refused, HTTPException: _not_served, Exception: _broken},
        lifespan=web.lifespan,
    )
    app.router.redirect_slashes = False
    return Guard(app, token, PUBLIC, hosts)
