"""Security headers."""

import pytest
from starlette.testclient import TestClient

from genre_edge.station.station import Station


def test_security_headers(
    client: TestClient, token_client: TestClient, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Responses of every status code have the security headers."""
    paths = ("/", "/api/v1/status", "/nothing", "/api/v1/history?limit=0", "/metrics")
    responses = [client.get(path) for path in paths]
    responses += [
        token_client.get("/api/v1/status"),
        client.post("/"),
        client.get("/", headers={"Host": "attacker.example"}),
    ]
    responses.append(client.get("/", headers={"If-None-Match": responses[0].headers["etag"]}))
    responses.append(client.request("GET", "/", content=b"x" * 5000))
    monkeypatch.setattr(station, "status", lambda: 1 / 0)
    responses.append(TestClient(client.app, raise_server_exceptions=False).get("/api/v1/status"))
    statuses = [response.status_code for response in responses]
    assert statuses == [200, 200, 404, 422, 200, 401, 405, 421, 304, 413, 500]
    for response in responses:
        policy = response.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in response.headers and "server" not in response.headers
    assert responses[1].headers["cache-control"] == "no-store"
