"""Station: verdicts, events and status of one source, its progress for the watchdog, and errors that end it."""

import time
from dataclasses import replace

import numpy as np
import pytest

from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.classify.classifier import Classifier
from genre_edge.errors import AudioError, SourceLostError
from genre_edge.model.bundle import Bundle
from genre_edge.station import hub
from genre_edge.station import station as station_module
from genre_edge.station.history.verdict_history import VerdictHistory
from genre_edge.station.history.verdict_id import parse_time
from genre_edge.station.station import Station
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import ArraySource, music, tone
from tests.helpers.bundles import RATE, STYLED, TINY, tiny
from tests.helpers.station import QueueSource, eventually, make_station, running, styled_station


def ignore() -> None:
    """Notification callback of a subscriber that does not react."""


def refuse() -> QueueSource:
    """Fail as a missing sound card does."""
    raise AudioError("card: no such device")


# Verdicts, events, status


def test_verdicts_equal_classifier() -> None:
    """The verdicts are the classifier's, with `time` added."""
    samples = music(6, RATE)
    expected = [replace(verdict, lag_ms=None) for verdict in tiny().stream(ArraySource(samples, RATE), 0.5)]
    station = make_station(ArraySource(samples, RATE))
    before = time.time()
    station.start()
    assert station.join(TIMEOUT_S) and station.ended.is_set() and station.error is None
    verdicts = station.history.verdicts()
    assert len(verdicts) == len(expected) == station.verdict_counts.total()
    for ours, theirs in zip(verdicts, expected, strict=True):
        assert parse_time(ours["id"]) == ours["time"]
        assert before - 1 <= ours["time"] <= time.time() + 1 and ours["lag_ms"] >= 0
        assert {key: value for key, value in ours.items() if key not in ("id", "time", "lag_ms")} == theirs.to_dict()
    status = station.status()
    assert status["verdict"] == verdicts[-1] and status["position_s"] == 6.0 and status["listening"] is False
    assert status["labels"] == ["low", "middle", "high"] and status["model"]["sha256"] == Bundle.load(TINY).sha256
    assert -30 < status["level_db"] < -5


def test_status_before_audio() -> None:
    """Before the first block, the status has no values of the audio."""
    status = make_station(QueueSource()).status()
    assert (status["listening"], status["verdict"], status["lag_ms"], status["level_db"]) == (False, None, None, None)
    assert (status["position_s"], status["dropped_samples"], status["outages"]) == (0, 0, 0)


def test_status_mqtt_state() -> None:
    """The status contains what `mqtt_state` returns."""
    station = make_station(QueueSource())
    assert station.status()["mqtt"] is None
    station.mqtt_state = lambda: "connected"
    assert station.status()["mqtt"] == "connected"


def test_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts and spectrogram columns are published; `listening` turns false when samples become old."""
    source = QueueSource()
    station = make_station(source)
    subscription = station.hub.subscribe({"verdict", "frames"}, ignore)
    station.start()
    source.feed_music(2)
    eventually(lambda: station.status()["position_s"] == 2.0)
    kinds: list[str] = []

    def all_received() -> bool:
        kinds.extend(event.kind for event in subscription.drain())
        all_frames = kinds.count("frames") == len(station.recent_spectrogram) >= 3
        return all_frames and kinds.count("verdict") == station.verdict_counts.total() >= 3

    eventually(all_received)
    assert station.listening and station.is_progressing()
    source.feed(music(1, RATE), dropped=123)
    eventually(lambda: station.status()["dropped_samples"] == 123)
    monkeypatch.setattr(station_module, "MAX_SAMPLE_AGE_S", 0.0)
    assert not station.listening
    station.stop()
    assert station.join(TIMEOUT_S) and station.error is None


def test_slow_subscriber_does_not_block() -> None:
    """A subscriber that never drains its queue loses events; the station processes the whole source."""
    station = make_station(ArraySource(music(60, RATE), RATE))
    slow = station.hub.subscribe({"verdict", "frames"}, ignore)
    station.start()
    assert station.join(TIMEOUT_S) and station.status()["position_s"] == 60.0
    assert station.hub.lost == slow.lost > 0 and len(slow.drain()) == hub.QUEUE_SIZE
    assert len(station.recent_spectrogram) == 60


# Progress, for the watchdog


def test_lost_samples_are_progress() -> None:
    """Lost samples count as progress, but not as listening."""
    source = QueueSource()
    with running(source) as station:
        for total in (100, 200):
            source.feed(np.empty(0, np.float32), dropped=100)
            eventually(lambda total=total: station.status()["dropped_samples"] == total)
            before_s = station._progress_s
            assert station.is_progressing() and station._progress_s > before_s
            assert (station.listening, station.status()["level_db"]) == (False, None)
        source.feed_music(1)
        eventually(lambda: station.listening)


def test_invalid_samples_are_progress() -> None:
    """A live source that yields invalid samples only makes progress, but is not listening."""
    source = QueueSource()
    with running(ReconnectingSource("card", lambda: source, RetryPolicy())) as station:
        for second in range(1, 4):
            source.feed(np.full(RATE, np.nan, dtype=np.float32))
            eventually(lambda second=second: station.status()["dropped_samples"] == second * RATE)
            before_s = station._progress_s
            assert station.is_progressing() and station._progress_s > before_s
            assert not station.listening
        source.feed_music(1)
        eventually(lambda: station.listening)


def test_stall_is_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without samples and reconnection attempts there is no progress after the timeout."""
    source = QueueSource()
    with running(source) as station:
        source.feed_music(1)
        eventually(lambda: station.status()["position_s"] == 1.0)
        assert station.is_progressing()
        with monkeypatch.context() as patch:
            patch.setattr(station_module, "_STALL_TIMEOUT_S", 0.0)
            assert not station.is_progressing()
        source.feed_music(0.5)
        assert eventually(station.is_progressing)


# Sources that are absent, fail or end


@pytest.mark.parametrize("error", [AudioError("queue: broken"), ZeroDivisionError("a bug")])
def test_source_error(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """An error ends the station and is stored; one that is not a GenreEdgeError is logged with its traceback."""
    source = QueueSource()
    station = make_station(source)
    station.start()
    source.fail(error)
    assert station.ended.wait(TIMEOUT_S) and not station.is_progressing() and not station.listening
    assert isinstance(station.error, AudioError) and str(station.error).startswith("queue: ")
    is_bug = isinstance(error, ZeroDivisionError)
    assert ("a bug" in caplog.text) == ("classification failed" in str(station.error)) == is_bug


def test_source_opened_in_thread() -> None:
    """A live source that is not available yet is opened by the station's thread, which retries."""
    late = QueueSource()
    attempts = [refuse, refuse, lambda: late]
    source = ReconnectingSource("card", lambda: attempts.pop(0)(), RetryPolicy(initial_delay_s=0.0), wait=False)
    assert not make_station(source).listening
    with running(source) as station:
        late.feed_music(1)
        eventually(lambda: station.listening)
        assert station.outages == 1 and station.status()["source"] == "card"


def test_source_lost() -> None:
    """A source whose attempts are used up ends the station."""
    station = make_station(ReconnectingSource("card", refuse, RetryPolicy(initial_delay_s=0.0, tries=3), wait=False))
    station.start()
    assert station.join(TIMEOUT_S) and isinstance(station.error, SourceLostError)


def test_stop_while_reconnecting() -> None:
    """`stop` interrupts the wait for the next attempt."""
    policy = RetryPolicy(initial_delay_s=1000.0, max_delay_s=1000.0)
    with running(ReconnectingSource("card", refuse, policy, wait=False)) as station:
        eventually(lambda: station.outages)
        assert station.is_progressing() and not station.listening


def test_station_styles_as_genres() -> None:
    """With the vocabulary "styles", labels, verdicts and counts have the names of styles."""
    source = QueueSource()
    station = Station(Classifier(STYLED, vocabulary="styles", styles=1), source, VerdictHistory(), 0.5)
    station.start()
    source.feed(tone(150, 3, RATE))
    verdict = eventually(lambda: station.status()["verdict"])
    assert station.status()["labels"] == station.labels == ["dark", "bass", "bright"]
    assert verdict["genre"] == "bass" and [entry["style"] for entry in verdict["styles"]] == ["bass"]
    assert set(station.verdict_counts) == {"bass"}
    station.stop()
    assert station.join(TIMEOUT_S)
    station.history.close()


def test_station_counts_styles_and_sounds() -> None:
    """Verdicts are counted by each style that they list, and by sound."""
    with styled_station(styles=1) as station:
        assert station.style_counts == {"bass": 6}
        assert station.sound_counts == {"music": 6, "speech": 6, "silence": 6}
        assert [verdict["sound"] for verdict in station.history.verdicts()[::6]] == [None, "speech", "silence"]


def test_verdict_genres_at_most() -> None:
    """Of a vocabulary of styles, events and history have the most probable ones only."""
    with styled_station(vocabulary="styles") as station:
        station._max_genres = 2
        station._on_verdict(replace(tiny().classify(ArraySource(music(2, RATE), RATE)), lag_ms=1.0))
        assert len((station.verdict or {})["genres"]) == 2
        assert station.history.verdicts()[-1] == station.verdict
    assert len(Classifier("edge").labels) <= station_module.MAX_GENRES
