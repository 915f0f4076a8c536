"""Error responses: JSON with one key, `error`."""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from genre_edge.errors import ParameterError
from genre_edge.system.shortage import describe_shortage

log = logging.getLogger("genre_edge.http")


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error response in the schema `Error` of openapi.json.

    Args:
        status: HTTP status code.
        message: value of the key `error`.
        headers: further response headers.
    """
    return JSONResponse({"error": message}, status, headers)


async def _parameter_error(request: Request, error: Exception) -> Response:
    return error_response(422, str(error))


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(error.status_code, error.detail, dict(error.headers or {}))


async def _internal_error(request: Request, error: Exception) -> Response:
    return error_response(500, "internal error; see the station's log")


async def _shortage(request: Request, error: Exception) -> Response:
    """Answer 503 if the system lacks something, as it does for a moment under load; other errors are raised again."""
    shortage = describe_shortage(error)
    if shortage is None:
        raise error
    log.warning("web server: %s; answering 503", shortage)
    return error_response(503, f"{shortage}; try again later", {"retry-after": "5"})


EXCEPTION_HANDLERS: dict[int | type[Exception], ExceptionHandler] = {
    ParameterError: _parameter_error,
    HTTPException: _http_exception,
    OSError: _shortage,
    MemoryError: _shortage,
    RuntimeError: _shortage,
    Exception: _internal_error,
}
