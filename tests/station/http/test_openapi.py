"""openapi.json against the application: schemathesis generates requests and validates each response."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode

from genre_edge.station.http.app import create_app
from genre_edge.station.http.middleware.token import Token
from tests.helpers.openapi import OPENAPI
from tests.helpers.station import station_after_audio
from tests.station.http.conftest import TOKEN

OPENAPI_SINCE = OPENAPI["paths"]["/api/v1/history"]["get"]["parameters"][0]["schema"]
EVENTS = "/api/v1/events"  # its response never ends; see test_event_stream.py
PATHS = sorted(set(OPENAPI["paths"]) - {EVENTS})
# Invalid requests exist only for routes with parameters; test_query.py sends unknown parameters to the others.
PATHS_WITH_PARAMETERS = [path for path in PATHS if "parameters" in OPENAPI["paths"][path]["get"]]
CASES = [(path, GenerationMode.POSITIVE) for path in PATHS]
CASES += [(path, GenerationMode.NEGATIVE) for path in PATHS_WITH_PARAMETERS]


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    """The described API of a station that has processed 3 s of audio."""
    with station_after_audio(3.0) as station, pytest.MonkeyPatch.context() as patch:
        patch.setattr("genre_edge.station.station.MAX_SAMPLE_AGE_S", 1e9)  # /healthz stays 200 until the tests end
        yield schemathesis.openapi.from_asgi("/openapi.json", create_app(station, Token(TOKEN), None))


@pytest.mark.parametrize(("path", "mode"), CASES, ids=[f"{path}-{mode.value}" for path, mode in CASES])
def test_responses_match_description(path: str, mode: GenerationMode, api: Any) -> None:
    """Each response has a status, headers and a body that openapi.json describes."""
    n_requests = 0

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=api[path]["GET"].as_strategy(generation_mode=mode))
    def send(case: Any) -> None:
        nonlocal n_requests
        assume(not _is_large_since(case))
        n_requests += 1
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})

    send()
    assert n_requests > 0


def _is_large_since(case: Any) -> bool:
    """Return whether `since` is above its described maximum; the API accepts any finite number there."""
    try:
        since = float((case.query or {}).get("since", 0))
    except (TypeError, ValueError):
        return False
    return OPENAPI_SINCE["maximum"] < since < math.inf
