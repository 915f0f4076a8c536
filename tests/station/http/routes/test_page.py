"""/ and /static: the page's files, and the token in the page's URL."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from genre_edge.station.http.routes.page import STATIC_DIR
from tests.station.http.conftest import TOKEN

FILES = sorted(STATIC_DIR.iterdir())
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def test_page(client: TestClient) -> None:
    """The page is HTML, and revalidated with its ETag."""
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8" and "genre-edge" in page.text
    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"If-None-Match": page.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_static_file(path: Path, client: TestClient) -> None:
    """Each file has its content type, a HEAD response and an ETag."""
    url = f"/static/{path.name}"
    response = client.get(url)
    assert response.content == path.read_bytes() and response.headers["cache-control"] == "no-cache"
    assert response.headers["content-type"] == CONTENT_TYPES[path.suffix]
    head = client.head(url)
    assert head.content == b"" and head.headers == response.headers
    cached = client.get(url, headers={"If-None-Match": response.headers["etag"]})
    assert (cached.status_code, cached.content, cached.headers["cache-control"]) == (304, b"", "no-cache")


UNKNOWN = ["", "nothing.js", "..%2fapp.py", "%2e%2e/app.py", "..%2fopenapi.json", "page.html/", "/page.js"]
UNKNOWN += ["x/..%2f..%2fpage.js", "%2fetc%2fpasswd", "%2fetc%2fhosts.js", "page.js%00.js", "x" * 5000 + ".js"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_static_unknown_file(name: str, client: TestClient) -> None:
    """Only the files of static/ are served, each under one path."""
    response = client.get(f"http://testserver/static/{name}")
    assert (response.status_code, response.json()) == (404, {"error": "Not Found"})


@pytest.mark.parametrize("value", ["bytes=0-3", "bytes=0-1,3-4", "bytes=9999999-", "nonsense"])
def test_range_is_ignored(value: str, client: TestClient) -> None:
    """A Range header is answered with the whole file."""
    for path in ("/", "/static/page.js"):
        response = client.get(path, headers={"Range": value})
        assert response.status_code == 200 and response.content == client.get(path).content
        assert "accept-ranges" not in response.headers


def test_static_methods(client: TestClient) -> None:
    """Methods other than GET and HEAD are answered 405."""
    response = client.post("/static/page.js")
    assert (response.status_code, response.json()) == (405, {"error": "Method Not Allowed"})


def test_token_in_url_sets_cookie(token_client: TestClient) -> None:
    """The page with the token in its URL sets a cookie that authorizes, and that does not contain the token."""
    assert token_client.get("/").status_code == 200 and not token_client.cookies
    assert token_client.get("/?token=wrong").status_code == 401 and not token_client.cookies
    redirect = token_client.get(f"/?token={TOKEN}")
    assert (redirect.status_code, redirect.headers["location"]) == (303, "/")
    cookie = redirect.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower() and TOKEN not in cookie
    assert token_client.get("/api/v1/status").status_code == 200
    name, value = next(iter(token_client.cookies.items()))
    token_client.cookies.clear()
    for cookie, status in ((value[:-1], 401), (value[:-1] + ("0" if value[-1] != "0" else "1"), 401), (value, 200)):
        response = token_client.get("/api/v1/status", headers={"Cookie": f"{name}={cookie}"})
        assert response.status_code == status


def test_token_in_url_without_token(client: TestClient) -> None:
    """A station without a token redirects, too, so that bookmarks with an old token work."""
    assert client.get("/?token=old-token-value", follow_redirects=False).status_code == 303
