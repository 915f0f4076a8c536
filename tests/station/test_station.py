"""Station, hub, columns and health: what is heard is told, to slow and to quick, and the end is told too."""

import base64
import mmap
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge import station as station_module
from genre_edge.audio.block import Block
from genre_edge.audio.live.reconnect import ReconnectingSource, RetryPolicy
from genre_edge.classify.classifier import Classifier
from genre_edge.errors import AudioError, SourceLostError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.bundle import Bundle
from genre_edge.station import hub
from genre_edge.station.hub import Event, Hub
from genre_edge.station.spectrogram_columns import SpectrogramColumns, loudest_db
from genre_edge.system import process as health
from tests.helpers.audio import ArraySource, music, tone
from tests.helpers.bundles import RATE, TINY, tiny
from tests.helpers.station import HandFed, eventually, station


def nothing() -> None:
    pass


# Hub


def test_each_gets_the_kinds_that_it_wants_in_order() -> None:
    one = Hub()
    woken: list[str] = []
    both = one.subscribe({"a", "b"}, lambda: woken.append("both"))
    only = one.subscribe({"b"}, lambda: woken.append("only"))
    events = [Event(kind, {"n": n}) for n, kind in enumerate("aba")]
    for event in events:
        one.publish(event)
    assert both.take() == events and only.take() == [events[1]] and both.take() == []
    assert woken == ["both", "both", "only", "both"] and one.subscribers == 2
    only.close()
    only.close()
    one.publish(events[1])
    assert only.take() == [] and both.take() == [events[1]] and one.subscribers == 1


def test_the_slow_lose_the_oldest_and_every_loss_is_counted() -> None:
    one = Hub()
    slow, quick = one.subscribe({"a"}, nothing), one.subscribe({"a"}, nothing)
    for n in range(hub.ROOM + 10):
        one.publish(Event("a", {"n": n}))
        assert [event.data["n"] for event in quick.take()] == [n]
    assert [event.data["n"] for event in slow.take()] == list(range(10, hub.ROOM + 10))
    assert (slow.lost, quick.lost, one.lost) == (10, 0, 10)
    slow.close()
    assert one.lost == 10


def test_an_event_as_text_is_one_line_of_json() -> None:
    assert Event("a", {"x": "1\n2"}).text == b'event: a\ndata: {"x": "1\\n2"}\n\n'


# SpectrogramColumns


def unpacked(data: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(data["columns"]), np.uint8).reshape(-1, data["n_mels"])


@pytest.mark.parametrize(
    "config", [MelConfig(), MelConfig(sr=8000, n_fft=256, hop_length=128, n_mels=16), MelConfig(power=1.0, norm=None)]
)
def test_nothing_within_full_scale_is_louder_than_0_db(config: MelConfig) -> None:
    mel = MelSpectrogram(config)
    rng = np.random.default_rng(0)
    sines = [tone(hz, 0.5, config.sr, 1.0) for hz in rng.uniform(50, config.sr / 2 - 50, 50)]
    loudest = max(mel.db(y).max() for y in sines)
    assert loudest <= loudest_db(mel) + 0.5  # two bins of one band add up


def test_columns_are_the_frames_a_byte_a_band() -> None:
    mel = tiny().mel
    sound = music(3, RATE)
    columns, frames = SpectrogramColumns(mel), []
    stream = mel.stream()
    events = []
    for start in range(0, len(sound), 700):
        block = Block(sound[start : start + 700], RATE, start)
        frames.append(stream.push(block.samples))
        events += list(columns.push(block, frames[-1]))
    together = np.concatenate([unpacked(event) for event in events])
    db = np.concatenate(frames, axis=1).T[: len(together)] - loudest_db(mel)
    np.testing.assert_array_less(np.abs(together / 255 - np.clip(1 + db / 80, 0, 1)), 0.51 / 255)
    assert len(together) * 128 > len(sound) - 0.6 * RATE and together.max() > 150
    assert [event["first"] for event in events] == list(np.cumsum([0, *(len(unpacked(e)) for e in events)])[:-1])
    assert all(event["frame_s"] == 128 / RATE for event in events)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 40), st.sampled_from([8000, 44100])), max_size=30))
def test_a_loss_is_a_jump_and_columns_never_go_back(blocks: list[tuple[int, int, int]]) -> None:
    columns, end_s, total, expected = SpectrogramColumns(tiny().mel), 0.0, 0, 0
    reached = 0
    for dropped, count, rate in blocks:
        position = round(end_s * rate) + dropped
        samples = np.zeros(round(count * 128 * rate / RATE), np.float32)
        expected += count
        for event in columns.push(Block(samples, rate, position, dropped), np.zeros((16, count), np.float32)):
            assert event["first"] >= reached
            reached = event["first"] + len(unpacked(event))
            total += len(unpacked(event))
        end_s = (position + len(samples)) / rate
    assert expected - total < 63 / 2 + 1  # what waits for the next event
    assert reached <= end_s * RATE / 128 + 2 * len(blocks) + 1


# Health


def test_the_share_of_a_core_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=100.0, used=3.0)
    monkeypatch.setattr(health.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(health, "cpu_s", lambda: clock.used)
    cpu = health.CpuMeter(100.0, 3.0)
    clock.now, clock.used = 104.0, 4.0
    assert cpu.percent() == 25.0
    clock.now, clock.used = 104.5, 4.5
    assert cpu.percent() == 25.0  # too soon for another figure
    clock.now = 106.0
    assert cpu.percent() == 25.0


def test_temperature_is_the_hottest_sensible_sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_THERMAL", tmp_path)
    assert health.temperature_c() is None
    for i, text in enumerate(["41000\n", "55500\n", "", "nonsense", "-273000", "999999999"]):
        (tmp_path / f"thermal_zone{i}").mkdir()
        (tmp_path / f"thermal_zone{i}" / "temp").write_text(text)
    (tmp_path / "thermal_zone9").mkdir()
    assert health.temperature_c() == 55.5


def test_memory_grows_with_what_is_held() -> None:
    before = health.memory_mb()
    with mmap.mmap(-1, 40_000_000) as held:  # not from an allocator, which may have that much left from other tests
        np.frombuffer(held, np.uint8)[:] = 1
        assert before > 5 and 35 < health.memory_mb() - before < 60


def test_a_system_without_proc_tells_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_STATM", Path("/nowhere"))
    assert health.memory_mb() == 0.0


# Station


def test_verdicts_are_those_of_the_classifier() -> None:
    sound = music(6, RATE)
    expected = [replace(v, lag_ms=None) for v in tiny().stream(ArraySource(sound, RATE), 0.5)]
    one = station(ArraySource(sound, RATE))
    before = time.time()
    one.start()
    assert one.join(30) and one.ended.is_set() and one.error is None
    told = one.history.verdicts()
    assert len(told) == len(expected) == one.heard.total()
    for ours, theirs in zip(told, expected, strict=True):
        assert before - 1 <= ours["time"] <= time.time() + 1 and ours["lag_ms"] >= 0
        assert {k: v for k, v in ours.items() if k not in ("time", "lag_ms")} == theirs.to_dict()
    status = one.status()
    assert status["verdict"] == told[-1] and status["position_s"] == 6.0 and status["listening"] is False
    assert status["labels"] == ["low", "middle", "high"] and status["model"]["sha256"] == Bundle.load(TINY).sha256
    assert -30 < status["level_db"] < -5


def test_before_anything_was_heard() -> None:
    status = station(HandFed()).status()
    assert (status["listening"], status["verdict"], status["lag_ms"], status["level_db"]) == (False, None, None, None)
    assert (status["position_s"], status["dropped_samples"], status["outages"]) == (0, 0, 0)


def test_what_is_lost_is_not_heard_but_a_sign_of_life() -> None:
    source = HandFed()
    one = station(source)
    one.start()
    for lost in (100, 200):
        source.feed(np.empty(0, np.float32), dropped=100)
        eventually(lambda lost=lost: one.status()["dropped_samples"] == lost)
        before_s = one._progress_s
        assert one.alive() and one._progress_s > before_s
        assert (one.listening, one.status()["level_db"]) == (False, None)
    source.music(1)
    eventually(lambda: one.listening)
    one.stop()
    assert one.join(20)


def test_what_happens_is_told_as_it_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    source = HandFed()
    one = station(source)
    subscription = one.hub.subscribe({"verdict", "frames"}, nothing)
    one.start()
    source.music(2)
    eventually(lambda: one.status()["position_s"] == 2.0)
    kinds = [event.kind for event in subscription.take()]
    assert kinds.count("frames") == len(one.picture) >= 3 and kinds.count("verdict") == one.heard.total() >= 3
    assert one.listening and one.alive()
    source.feed(music(1, RATE), dropped=123)
    eventually(lambda: one.status()["dropped_samples"] == 123)
    monkeypatch.setattr(station_module, "FRESH_S", 0.0)
    assert not one.listening
    one.stop()
    assert one.join(20) and one.error is None


def test_a_subscriber_that_sleeps_delays_nothing() -> None:
    source = HandFed()
    one = station(source)
    asleep = one.hub.subscribe({"verdict", "frames"}, nothing)
    one.start()
    source.music(60)
    eventually(lambda: one.status()["position_s"] == 60.0)
    assert one.hub.lost == asleep.lost > 0 and len(asleep.take()) == hub.ROOM
    assert len(one.picture) == 60
    one.stop()
    assert one.join(20)


@pytest.mark.parametrize("error", [AudioError("hand: broken"), ZeroDivisionError("a bug")])
def test_why_it_ended_is_told(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    source = HandFed()
    one = station(source)
    one.start()
    source.fail(error)
    assert one.ended.wait(20) and not one.alive() and not one.listening
    assert isinstance(one.error, AudioError) and str(one.error).startswith("hand: ")
    assert ("a bug" in caplog.text) == ("listening failed" in str(one.error)) == isinstance(error, ZeroDivisionError)


def refuse() -> HandFed:
    raise AudioError("card: no such device")


def test_a_source_that_is_not_there_yet_is_waited_for() -> None:
    late = HandFed()
    openings = [refuse, refuse, lambda: late]
    source = ReconnectingSource("card", lambda: openings.pop(0)(), RetryPolicy(initial_delay_s=0.0), wait=False)
    one = station(source)
    assert not one.listening
    one.start()
    late.music(1)
    eventually(lambda: one.listening)
    assert one.outages == 1 and one.status()["source"] == "card"
    one.stop()
    assert one.join(20) and one.error is None


def test_a_source_that_gives_no_sound_is_not_heard_but_is_alive() -> None:
    source = HandFed()
    one = station(ReconnectingSource("card", lambda: source, RetryPolicy()))
    one.start()
    for second in range(1, 4):
        source.feed(np.full(RATE, np.nan, dtype=np.float32))
        eventually(lambda second=second: one.status()["dropped_samples"] == second * RATE)
        before_s = one._progress_s
        assert one.alive() and one._progress_s > before_s  # the watchdog is told of it
        assert not one.listening
    source.music(1)
    eventually(lambda: one.listening)
    one.stop()
    assert one.join(20) and one.error is None


def test_a_source_that_is_lost_ends_it() -> None:
    one = station(ReconnectingSource("card", refuse, RetryPolicy(initial_delay_s=0.0, tries=3), wait=False))
    one.start()
    assert one.join(20) and isinstance(one.error, SourceLostError)


def test_stopping_while_it_waits_for_a_source() -> None:
    one = station(
        ReconnectingSource("card", refuse, RetryPolicy(initial_delay_s=1000.0, max_delay_s=1000.0), wait=False)
    )
    one.start()
    eventually(lambda: one.outages)
    assert one.alive() and not one.listening
    one.stop()
    assert one.join(20) and one.error is None


def test_the_watchdog_bites_when_neither_sound_nor_tries_come(monkeypatch: pytest.MonkeyPatch) -> None:
    source = HandFed()
    one = station(source)
    one.start()
    source.music(1)
    eventually(lambda: one.status()["position_s"] == 1.0)
    assert one.alive()
    monkeypatch.setattr(station_module, "_STUCK_S", 0.0)
    assert not one.alive()
    monkeypatch.undo()
    source.music(0.5)
    assert eventually(one.alive)
    one.stop()
    assert one.join(20)


def test_a_picture_costs_no_bit(song_samples: np.ndarray) -> None:
    sound = song_samples[: 12 * 22050]
    classifier = Classifier()
    expected = [v.to_dict() for v in classifier.stream(ArraySource(sound, 22050), 3.0)]
    watched = classifier.stream(
        ArraySource(sound, 22050, [5000]),
        3.0,
        on_frames=lambda b, f: list(SpectrogramColumns(classifier.mel).push(b, f)),
    )
    for ours, theirs in zip(map(lambda v: v.to_dict(), watched), expected, strict=True):
        assert ours | {"lag_ms": 0} == theirs | {"lag_ms": 0}
