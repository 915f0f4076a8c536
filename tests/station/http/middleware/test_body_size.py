"""Limit on request bodies."""

from collections.abc import Iterator

from starlette.testclient import TestClient

from tests.helpers.openapi import validate_response


def test_body_size_limit(client: TestClient) -> None:
    """A body above the limit, or of unknown length, is answered 413."""

    def chunks() -> Iterator[bytes]:
        yield b"x"

    assert client.request("GET", "/api/v1/status", content=b"x" * 4096).status_code == 200
    for body in (b"x" * 4097, chunks()):
        response = client.request("GET", "/api/v1/status", content=body)
        assert response.status_code == 413 and response.headers["connection"] == "close"
        validate_response(response.json(), "/api/v1/status", "413")


def test_invalid_content_length(client: TestClient) -> None:
    """A Content-Length that is not a number is answered 413."""
    response = client.get("/api/v1/status", headers={"Content-Length": b"\xb2"})
    assert response.status_code == 413
