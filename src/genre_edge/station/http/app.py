"""The ASGI application: routes, middleware and shared state. `openapi.json` describes the API."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.middleware import Middleware

from genre_edge.station.http.errors import EXCEPTION_HANDLERS
from genre_edge.station.http.event_stream import publish_status
from genre_edge.station.http.metrics import StationCollector
from genre_edge.station.http.middleware.body_size import BodySizeMiddleware
from genre_edge.station.http.middleware.headers import SecurityHeadersMiddleware
from genre_edge.station.http.middleware.host import AllowedHosts, AllowedHostsMiddleware
from genre_edge.station.http.middleware.token import Token, TokenMiddleware
from genre_edge.station.http.routes import api, monitoring, page
from genre_edge.station.station import Station

# These contain no data of the station, or are requested by programs that cannot send a token.
PUBLIC_PATHS = frozenset(["/", "/healthz", "/openapi.json"])
PUBLIC_FOLDERS = frozenset(["/static"])
MAX_FILE_THREADS = 2  # that read the page's files; anyio's default of 40 could exceed TasksMax of the systemd unit


def create_app(station: Station, token: Token | None, allowed_hosts: AllowedHosts | None) -> SecurityHeadersMiddleware:
    """Create the application.

    Args:
        station: the station that the API reports on.
        token: the token that clients must send; None to require none.
        allowed_hosts: hosts that the Host header may name; None allows any host.

    Returns:
        The Starlette application in `SecurityHeadersMiddleware`, which is outermost, so that responses with status 500
        also have the headers.
    """
    middleware = [Middleware(BodySizeMiddleware)]
    if allowed_hosts is not None:
        middleware.insert(0, Middleware(AllowedHostsMiddleware, allowed_hosts))
    if token is not None:
        middleware.append(Middleware(TokenMiddleware, token, PUBLIC_PATHS, PUBLIC_FOLDERS))
    app = Starlette(
        routes=[*page.ROUTES, *api.ROUTES, *monitoring.ROUTES],
        middleware=middleware,
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.station = station
    app.state.token = token
    app.state.metrics = StationCollector(station, token.throttle if token else None)
    app.state.event_streams = set()
    return SecurityHeadersMiddleware(app)


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """Run the history reader's thread and the status publisher, and limit the threads that read files."""
    current_default_thread_limiter().total_tokens = MAX_FILE_THREADS
    app.state.history_reader = ThreadPoolExecutor(1, "history reader")  # the disk may be slow
    publisher = asyncio.get_running_loop().create_task(publish_status(app.state.station))
    yield
    publisher.cancel()
    app.state.history_reader.shutdown(wait=False, cancel_futures=True)
