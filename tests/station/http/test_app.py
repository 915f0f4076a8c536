"""The application: unknown paths, methods and internal errors."""

import asyncio

import pytest
from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.testclient import TestClient

from genre_edge.station.http.app import MAX_FILE_THREADS, create_app
from genre_edge.station.station import Station


def test_unknown_paths(client: TestClient) -> None:
    """Unknown paths are answered 404 in JSON."""
    for path in ("/nothing", "/api/v1/status/", "/api/v2/status", "/api//v1/status", "/static"):
        response = client.get(path)
        assert (response.status_code, response.json()) == (404, {"error": "Not Found"})


def test_methods(client: TestClient) -> None:
    """GET and HEAD are allowed, other methods are answered 405."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        response = client.request(method, "/api/v1/status")
        assert (response.status_code, response.json()) == (405, {"error": "Method Not Allowed"})
        assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert client.head("/api/v1/status").status_code == 200
    assert client.head("/api/v1/events").status_code == 200


def test_internal_error(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    """Error 500 contains no details of the exception."""
    monkeypatch.setattr(station, "status", lambda: 1 / 0)
    with TestClient(create_app(station, None, None), raise_server_exceptions=False) as client:
        response = client.get("/api/v1/status")
    assert (response.status_code, response.json()) == (500, {"error": "internal error; see the station's log"})


def test_file_threads_are_limited(station: Station) -> None:
    """While the application runs, few threads read the page's files, however many clients there are."""
    app = create_app(station, None, None).app
    assert isinstance(app, Starlette)

    async def count() -> float:
        async with app.router.lifespan_context(app):
            return current_default_thread_limiter().total_tokens

    assert asyncio.run(count()) == MAX_FILE_THREADS
