"""Allowed hosts, and the order of the checks."""

import socket

import pytest
from starlette.testclient import TestClient

from genre_edge.errors import ParameterError
from genre_edge.station.http.app import create_app
from genre_edge.station.http.middleware.host import AllowedHosts, normalise_host
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


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "LocalHost"])
def test_loopback_hosts(host: str) -> None:
    """On a loopback address, only its names and the bound address are allowed."""
    hosts = AllowedHosts.of_loopback(host)
    assert all(hosts.allows(name) for name in ("localhost", "127.0.0.1", "[::1]", host.lower()))
    assert not hosts.allows("192.168.1.5") and not hosts.allows("attacker.example")


@pytest.fixture
def network_client(station: Station, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client of a station on the machine `hifi` that requires no token, with --allow-host Radio.Example."""
    monkeypatch.setattr(socket, "gethostname", lambda: "HiFi")
    return TestClient(create_app(station, None, AllowedHosts.of_network("0.0.0.0", ["radio.example"])))


@pytest.mark.parametrize(
    "host",
    ["192.168.1.5:8000", "10.0.0.1", "[fe80::1]:8000", "localhost", "hifi:8000", "HIFI.local:8000", "Radio.Example"],
)
def test_network_host(host: str, network_client: TestClient) -> None:
    """Without a token, clients of other machines may use IP addresses, this machine's names and allowed names."""
    assert network_client.get("/api/v1/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example:8000",
        "192.168.1.5.attacker.example",
        "hifi.attacker.example",
        "hifi.local.example",
        "",
        "[",
        "[x]",
    ],
)
def test_network_host_rebinding(host: str, network_client: TestClient) -> None:
    """A name that resolves to the station by DNS rebinding is answered 421, on every path."""
    for path in ("/", "/api/v1/status", "/metrics", "/openapi.json", "/api/v1/events", "/nothing"):
        response = network_client.get(path, headers={"Host": host})
        assert response.status_code == 421 and "--allow-host" in response.json()["error"]
        validate_response(response.json(), "/api/v1/status", "421")


@pytest.mark.parametrize(
    ("host", "normal"),
    [("Radio.Example", "radio.example"), ("10.0.0.1", "10.0.0.1"), ("FE80::1", "[fe80::1]"), ("my_host", "my_host")],
)
def test_normalise_host(host: str, normal: str) -> None:
    """Names and addresses are written as in a Host header."""
    assert normalise_host(host) == normal


@pytest.mark.parametrize("host", ["", "host:8000", "http://host", "a b", "*", "host/", "a..b", "[::1]:80"])
def test_normalise_host_invalid(host: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ParameterError, match="--allow-host must be"):
        normalise_host(host)
