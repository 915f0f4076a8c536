"""The bearer token; the cookie is in routes/test_page.py."""

import pytest
from starlette.testclient import TestClient

from genre_edge.errors import ParameterError
from genre_edge.station.http.middleware.token import validate_token
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


@pytest.mark.parametrize("token", ["", "short", "x" * 257, "with a space", "with\nline", "naïve-token", "a&b=cdefgh"])
def test_validate_token(token: str) -> None:
    """Tokens that a header or a URL cannot carry are refused, without the token in the message."""
    with pytest.raises(ParameterError) as caught:
        validate_token(token)
    assert not token or token not in str(caught.value)
