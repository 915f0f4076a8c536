"""Verdicts against recorded ones: seeded signals with gaps and rate changes, and the demo song."""

import json
from typing import Any

import pytest

from genre_edge.model.bundle import Bundle, bundle_path
from tests.data.make_recorded_verdicts import RECORDING, THRESHOLD, recordings

TOLERANCE = 0.02  # the int8 kernels of another CPU may differ by a step of the output

Recordings = dict[str, list[dict[str, Any]]]

RECORDED: Recordings = json.loads(RECORDING.read_text())


@pytest.fixture(scope="module")
def computed() -> Recordings:
    """Return the verdicts of the present code."""
    verdicts: Recordings = json.loads(json.dumps(recordings()))
    return verdicts


def check_answer(actual: list[Any], expected: list[Any], threshold: float) -> None:
    """Compare `[start_s, end_s, genre, reason, confidence]`: times, genre and reason exactly."""
    *actual_answer, actual_confidence = actual
    *expected_answer, expected_confidence = expected
    assert actual_confidence == pytest.approx(expected_confidence, abs=TOLERANCE)
    if expected_confidence is not None and abs(expected_confidence - threshold) < TOLERANCE:
        return  # an int8 step decides between a genre and "low_confidence"
    assert actual_answer == expected_answer


def test_recording_covers_signals_and_reasons(computed: Recordings) -> None:
    """The recording has all signals, and verdicts with each reason but `not_music`."""
    assert list(computed) == list(RECORDED)
    reasons = {verdict["reason"] for verdicts in RECORDED.values() for verdict in verdicts}
    assert reasons == {None, "low_confidence", "silence", "too_short"}


@pytest.mark.parametrize("key", RECORDED)
def test_verdicts_match_recording(computed: Recordings, key: str) -> None:
    """Times, counts, genres and reasons are equal, probabilities up to an int8 step."""
    threshold = Bundle.load(bundle_path("edge")).threshold if key.startswith("demo song") else THRESHOLD
    for actual, expected in zip(computed[key], RECORDED[key], strict=True):
        fields = ("start_s", "end_s", "genre", "reason", "confidence")
        check_answer([actual[name] for name in fields], [expected[name] for name in fields], threshold)
        assert actual["dropped_samples"] == expected["dropped_samples"]
        assert actual["probabilities"] == pytest.approx(expected["probabilities"], abs=TOLERANCE)
        for segment, recorded in zip(actual["segments"], expected["segments"], strict=True):
            check_answer(segment, recorded, threshold)
