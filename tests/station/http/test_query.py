"""Query parameters: accepted values, and errors 422."""

import pytest
from starlette.testclient import TestClient

from genre_edge.station.http.query import parse_integer, parse_number
from tests.helpers.openapi import OPENAPI, validate_response


def test_parse_number() -> None:
    """Decimal and exponential notation are accepted."""
    assert [parse_number("since", text) for text in ("0", "-0.0", "1.5", "1e3")] == [0.0, 0.0, 1.5, 1000.0]


def test_parse_integer() -> None:
    """The limits themselves are accepted."""
    assert [parse_integer("limit", text, 1000) for text in ("1", "1000")] == [1, 1000]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit must be an integer from 1 to 1000, got '0'"),
        ("limit=1001", "limit must be an integer from 1 to 1000, got '1001'"),
        ("limit=1.5", "limit must be an integer from 1 to 1000, got '1.5'"),
        ("limit=", "limit must be an integer from 1 to 1000, got ''"),
        ("limit=" + "9" * 5000, "limit must be an integer from 1 to 1000, got '" + "9" * 40 + "'"),
        ("since=-1", "since must be a number, 0 or more, got '-1'"),
        ("since=nan", "since must be a number, 0 or more, got 'nan'"),
        ("since=inf", "since must be a number, 0 or more, got 'inf'"),
        ("since=1e999", "since must be a number, 0 or more, got '1e999'"),
        ("since=yesterday", "since must be a number, 0 or more, got 'yesterday'"),
        ("since=%D9%A1", "since must be a number, 0 or more, got '١'"),
        ("before=1", "unknown parameter 'before'"),
        ("limit=1&limit=2", "a parameter is repeated"),
    ],
)
def test_invalid_parameter(query: str, message: str, client: TestClient) -> None:
    """An invalid, unknown or repeated parameter is answered 422 with the reason."""
    response = client.get(f"/api/v1/history?{query}")
    assert (response.status_code, response.json()) == (422, {"error": message})


@pytest.mark.parametrize("path", [path for path, item in OPENAPI["paths"].items() if "422" in item["get"]["responses"]])
def test_unknown_parameter(path: str, client: TestClient) -> None:
    """Every route whose description has error 422 refuses unknown parameters."""
    response = client.get(path, params={"unknown": "1"})
    assert response.status_code == 422
    validate_response(response.json(), path, "422")
