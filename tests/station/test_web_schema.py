"""schemathesis asks the API everything that openapi.json allows and much that it does not; no answer may break it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from genre_edge.station.http import app as web
from genre_edge.station.http.app import application
from genre_edge.station.http.guard import Token
from tests.helpers.station import QueueSource, eventually, make_station

TOKEN = "correct-horse-battery"
EVENTS = "/api/v1/events"  # never ends; tests/test_server.py reads it
PATHS = sorted(set(json.loads((Path(web.__file__).parent / "openapi.json").read_text())["paths"]) - {EVENTS})


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    """The described API of a station that has heard something."""
    source = QueueSource()
    one = make_station(source)
    one.start()
    source.feed_music(3)
    eventually(lambda: one.status()["position_s"] == 3.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genre_edge.station.station.MAX_SAMPLE_AGE_S", 1e9)  # stay `listening` for the whole test
        yield schemathesis.openapi.from_asgi("/openapi.json", application(one, Token(TOKEN), None))
    one.stop()
    assert one.join(20)


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_found(path: str, mode: GenerationMode, api: Any) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=api[path]["GET"].as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"})

    if mode is GenerationMode.POSITIVE or path == "/api/v1/history":  # the others have nothing to get wrong
        ask()
