"""Allowed hosts, and the order of the checks."""

import pytest
from starlette.testclient import TestClient

from genre_edge.station.http.app import create_app
from genre_edge.station.http.middleware.token import Token
from genre_edge.station.station import Station
from tests.helpers.openapi import validate_response
from tests.station.http.conftest import ALLOWED_HOSTS, TOKEN


@pytest.mark.parametrize("host", ["testserver", "localhost:8000", "LOCALHOST"])
def test_allowed_host(host: str, client: TestClient) -> None:
    """An allowed Host header is accepted in any case, with or without a port."""
    assert client.get("/api/v1/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["attacker.example", "localhost.attacker.example", "localhost@attacker.example", "127.0.0.1:80", "[::1]", "", "["],
)
def test_other_host(host: str, client: TestClient) -> None:
    """Another or invalid Host header is answered 421."""
    response = client.get("/api/v1/status", headers={"Host": host})
    assert response.status_code == 421
    validate_response(response.json(), "/api/v1/status", "421")


def test_order_of_checks(station: Station) -> None:
    """The host is checked before the body size, and the body size before the token."""
    client = TestClient(create_app(station, Token(TOKEN), ALLOWED_HOSTS))
    statuses = [
        client.request("GET", "/api/v1/status", headers={"Host": host}, content=body).status_code
        for host in ("attacker.example", "localhost")
        for body in (b"x" * 4097, b"")
    ]
    assert statuses == [421, 421, 413, 401]
