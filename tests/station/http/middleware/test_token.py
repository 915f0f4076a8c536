"""The bearer token; the cookie is in routes/test_page.py."""

import subprocess

import pytest
from starlette.testclient import TestClient

from genre_edge.errors import ParameterError
from genre_edge.station.http.middleware.token import Token, validate_token
from genre_edge.station.http.token_throttle import BURST_PER_ADDRESS
from genre_edge.system.log_limit import MAX_RECORDS
from tests.helpers.openapi import validate_response
from tests.station.http.conftest import TOKEN


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "path",
    ["/api/v1/status", "/api/v1/history", "/api/v1/day", "/api/v1/events", "/metrics", "/nothing", "/static/a/b"],
)
def test_missing_or_wrong_token(path: str, token_client: TestClient) -> None:
    """Every private path answers 401 without the exact token, before 404."""
    wrong = [{}, bearer("wrong"), bearer(TOKEN + "x"), bearer(TOKEN[:-1]), {"Authorization": TOKEN}, bearer("é" * 9)]
    wrong += [{"Authorization": f"Basic {TOKEN}"}, {"Cookie": f"genre_edge={TOKEN}"}]
    wrong += [{"Host": "testserver/healthz?"}, {"Host": "testserver/static/x?"}]
    for headers in wrong:
        encoded = {name: value.encode() for name, value in headers.items()}
        response = token_client.get(path, headers=encoded)
        assert response.status_code == 401 and response.headers["www-authenticate"].startswith("Bearer")
        validate_response(response.json(), "/api/v1/status", "401")
    assert token_client.get(path + "?token=" + TOKEN).status_code == 401  # only the page accepts it in the URL


def test_bearer_token(token_client: TestClient) -> None:
    """The token authorizes; the scheme's name may be in any case."""
    for headers in (bearer(TOKEN), {"authorization": f"bearer {TOKEN}"}):
        assert token_client.get("/api/v1/status", headers=headers).status_code == 200
        assert token_client.get("/nothing", headers=headers).status_code == 404


PUBLIC = {"/": 200, "/static/page.js": 200, "/static/nothing.js": 404, "/static/": 404, "/openapi.json": 200}
PUBLIC |= {"/healthz": 200}


@pytest.mark.parametrize("path", PUBLIC)
def test_public_paths(path: str, token_client: TestClient) -> None:
    """The page, its files, the description and /healthz need no token."""
    assert token_client.get(path).status_code == PUBLIC[path]


@pytest.mark.parametrize(
    "token", ["", "short", "x" * 257, "with a space", "with\nline", "naïve-token", "a&b=cdefghijklmnop", "x" * 15]
)
def test_validate_token(token: str) -> None:
    """Tokens that a header or a URL cannot carry are refused, without the token in the message."""
    with pytest.raises(ParameterError) as caught:
        validate_token(token)
    assert not token or token not in str(caught.value)


def test_short_token_hint() -> None:
    """The error tells how to make a token, and the command makes a valid one."""
    with pytest.raises(ParameterError, match="16 to 256") as caught:
        Token("short-secret")
    command = str(caught.value).partition("run: ")[2]
    made = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert validate_token(made.stdout.strip())


def client_from(client: TestClient, address: str) -> TestClient:
    return TestClient(client.app, client=(address, 50000), follow_redirects=False)


def test_wrong_tokens_are_throttled(token_client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """Guesses of an address end in 429, even with the right token; other addresses, and cookies, are not affected."""
    guesser, other = client_from(token_client, "192.0.2.1"), client_from(token_client, "192.0.2.2")
    assert client_from(token_client, "192.0.2.1").get(f"/?token={TOKEN}").status_code == 303
    browser = client_from(token_client, "192.0.2.1")
    browser.get(f"/?token={TOKEN}")
    statuses = [guesser.get("/api/v1/status", headers=bearer(f"guess {i}")).status_code for i in range(100)]
    n_wrong = statuses.index(429)
    assert statuses == [401] * n_wrong + [429] * (100 - n_wrong) and n_wrong == BURST_PER_ADDRESS
    response = guesser.get("/api/v1/status", headers=bearer(TOKEN))
    assert response.status_code == 429 and int(response.headers["retry-after"]) > 0
    validate_response(response.json(), "/api/v1/status", "429")
    assert guesser.get(f"/?token={TOKEN}").status_code == 429
    assert browser.get("/api/v1/status").status_code == 200
    assert other.get("/api/v1/status", headers=bearer(TOKEN)).status_code == 200
    metrics = other.get("/metrics", headers=bearer(TOKEN)).text
    assert (
        f"genre_edge_wrong_tokens_total {n_wrong}.0" in metrics and "genre_edge_throttled_tokens_total 92.0" in metrics
    )
    assert len(caplog.messages) == MAX_RECORDS and caplog.messages[0] == "wrong token from 192.0.2.1"


def test_missing_token_is_not_throttled(token_client: TestClient) -> None:
    """A page without a token may ask as often as it likes."""
    statuses = {token_client.get("/api/v1/status").status_code for _ in range(2 * BURST_PER_ADDRESS)}
    assert statuses == {401} and token_client.get("/api/v1/status", headers=bearer(TOKEN)).status_code == 200
