"""The web page in a browser, on a fake station: what it shows, and how it reconnects."""

import re
import time
from http import HTTPStatus

import librosa
import numpy as np
import pytest

from tests.helpers.page import OpenPage, expect, spectrogram_pixels, wait_for_spectrogram, wait_until
from tests.helpers.page_server import BIN_S, FRAME_S, LABELS, FakeStation, make_verdict

pytestmark = pytest.mark.browser


def coverage_changes(pixels: np.ndarray) -> list[int]:
    """Return 1 where the spectrogram begins and -1 where it ends, from left to right."""
    changes = np.diff((pixels[0, :, 3] > 0).astype(int))
    return list(changes[changes != 0])


# Spectrogram


def test_spectrogram_scrolls(station: FakeStation, open_page: OpenPage) -> None:
    """The spectrogram grows with new columns."""
    page = open_page(station)
    wait_for_spectrogram(page)
    before = spectrogram_pixels(page)
    coverage = (before[..., 3] > 0).mean()
    wait_until(lambda: (spectrogram_pixels(page)[..., 3] > 0).mean() > coverage)
    after = spectrogram_pixels(page)
    assert before.shape == after.shape and (before != after).any()


@pytest.mark.parametrize("band", [5, 64, 120])
def test_spectrogram_frequency_axis(open_page: OpenPage, band: int) -> None:
    """A tone appears at the position and with the frequency of its mel band."""
    columns = np.zeros((400, 128), np.uint8)
    columns[:, band] = 204
    hz = float(librosa.mel_frequencies(130, fmin=0, fmax=11025)[band + 1])
    frequency = f"{round(hz / 10) * 10} Hz" if hz < 1000 else f"{hz / 1000:.1f} kHz"
    with FakeStation(columns=columns) as station:
        page = open_page(station)
        expect(page.locator("#loudest")).to_have_text(f"Loudest: −16 dB near {frequency}")
        wait_until(lambda: spectrogram_pixels(page)[:, -1, 3].all())
        lightness = spectrogram_pixels(page)[:, -1, :3].sum(axis=1, dtype=int)
        row = np.flatnonzero(lightness == lightness.max()).mean()
        assert row == pytest.approx((127.5 - band) / 128 * len(lightness), abs=len(lightness) / 128)


# Verdict


def test_verdict_and_bars(station: FakeStation, open_page: OpenPage) -> None:
    """The page shows the current genre, its confidence, and a bar for each label."""
    page = open_page(station)
    for genre in ("metal", "hiphop"):
        station.outcome = lambda when, genre=genre: (genre, None)
        expect(page.locator("#genre")).to_have_text({"metal": "Metal", "hiphop": "Hip hop"}[genre])
        expect(page.locator("#confidence")).to_have_text(re.compile(r"^\d+ % confidence$"))
        expect(page.locator("#bars .best .label")).to_have_text(page.locator("#genre").inner_text())
    names = ["Hip hop" if label == "hiphop" else label.capitalize() for label in LABELS]
    assert page.locator("#bars .label").all_inner_texts() == names
    page.wait_for_function("document.querySelector('#bars .best .bar').getBoundingClientRect().width > 10")


@pytest.mark.parametrize(
    ("reason", "name", "description"),
    [
        ("silence", "Silence", "Too quiet to classify"),
        ("not_music", "No music", "Probably not music. Best match: Jazz, 28 %"),
        ("low_confidence", "Uncertain", "Best match: Jazz, 28 %"),
    ],
)
def test_verdict_without_genre(open_page: OpenPage, reason: str, name: str, description: str) -> None:
    """Without a genre, the page shows the reason and the best match."""
    with FakeStation(lambda when: (None, reason)) as station:
        page = open_page(station)
        expect(page.locator("#genre")).to_have_text(name)
        expect(page.locator("#confidence")).to_have_text(description)
        assert page.locator("#bars .best").count() == 0
        expect(page.locator("#changes li").first).to_contain_text(name)


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ((0.62, 0.3, 0.08), "music 62 % · other sounds 30 % · silence 8 %"),
        ((0.62, 0.38, 0.0), "music 62 % · other sounds 38 %"),
        ((1.0, 0.0, 0.0), ""),
        ((None, None, None), ""),
    ],
)
def test_verdict_shares(open_page: OpenPage, shares: tuple[float | None, ...], text: str) -> None:
    """The page shows what the audio consists of if that is not music alone."""
    names = ["music_share", "not_music_share", "silence_share"]
    past = [make_verdict(time.time(), ("jazz", None), "radio") | dict(zip(names, shares, strict=True))]
    with FakeStation(past=past, verdict_s=1000) as station:
        page = open_page(station)
        expect(page.locator("#genre")).to_have_text("Jazz")
        expect(page.locator("#shares")).to_have_text(text)


# Timeline and clocks


def test_timeline_and_changes(station: FakeStation, open_page: OpenPage) -> None:
    """A change of genre adds a block to the timeline and a line to the list."""
    station.outcome = lambda when: ("jazz", None)
    page = open_page(station)
    expect(page.locator("#count")).to_have_text(re.compile("^([3-9]|[1-9][0-9]+) verdicts"))
    expect(page.locator("#timeline .block")).to_have_count(1)
    station.outcome = lambda when: ("rock", None)
    expect(page.locator("#timeline .block")).to_have_count(2)
    expect(page.locator("#changes strong")).to_have_text(["Rock", "Jazz"])


@pytest.mark.parametrize("hours_off", [-30, 0, 5])
def test_wrong_browser_clock(open_page: OpenPage, hours_off: int) -> None:
    """The timeline follows the station's clock, not the browser's."""
    now = time.time()
    past = [make_verdict(when, ("pop", None), "radio") for when in np.arange(now - 300, now - 5, 5.0)]
    with FakeStation(past=past, verdict_s=1000) as station:
        page = open_page(station, at=now + 3600 * hours_off)
        expect(page.locator("#timeline .block")).to_have_count(1)
        edges = "(block, track) => [block.x - track.x, block.right - track.x].map(x => x / track.width)"
        left, right = page.evaluate(
            f"({edges})(...['.block', '#timeline'].map(s => document.querySelector(s).getBoundingClientRect()))"
        )
        assert 0.6 < left < right < 1


@pytest.mark.parametrize("hours", [-3, 3])
def test_station_clock_changes(station: FakeStation, open_page: OpenPage, hours: int) -> None:
    """The newest verdict stays the current one when the station's clock is set."""
    station.outcome = lambda when: ("jazz", None)
    page = open_page(station)
    expect(page.locator("#timeline .block")).to_have_count(1)
    expect(page.locator("#genre")).to_have_text("Jazz")
    station.clock_offset_s, station.outcome = 3600.0 * hours, lambda when: ("rock", None)
    expect(page.locator("#genre")).to_have_text("Rock")
    expect(page.locator("#changes strong")).to_have_text(["Rock"])  # jazz is hours ago, or hours ahead
    expect(page.locator("#count")).to_have_text(re.compile("^([3-9]|[1-9][0-9]+) verdicts"))


# Connection


def test_restart_without_history(open_page: OpenPage) -> None:
    """After a restart of a station without its old verdicts, the page shows the new verdict."""
    with FakeStation(lambda when: ("jazz", None), verdict_s=1000) as station:
        page = open_page(station)
        expect(page.locator("#genre")).to_have_text("Jazz")
        station.stop()
        expect(page.locator("#state")).to_have_text("Not connected")
        station.outcome = lambda when: ("reggae", None)
        station.start()
        station.add_verdict_if_due()  # before the page reconnects
        expect(page.locator("#genre")).to_have_text("Reggae")


def test_reconnect_after_restart(station: FakeStation, open_page: OpenPage) -> None:
    """The page fetches all data again, and the spectrogram has a gap."""
    page = open_page(station)
    wait_for_spectrogram(page)
    expect(page.locator("#state")).to_have_text("Live")
    station.stop()
    expect(page.locator("#banner")).to_contain_text("Connection lost, reconnecting")
    expect(page.locator("#state")).to_have_text("Not connected")
    time.sleep(0.5)  # a gap wide enough to be seen
    station.outcome = lambda when: ("reggae", None)
    station.requests.clear()
    station.start()
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#genre")).to_have_text("Reggae")
    assert any("/history" in path for path in station.requests) and "/api/v1/day" in station.requests
    wait_until(lambda: coverage_changes(spectrogram_pixels(page)) == [1, -1, 1])


def test_reconnect_without_gap(station: FakeStation, open_page: OpenPage) -> None:
    """After a short interruption the spectrogram continues without a gap and without repeated columns."""
    page = open_page(station)
    wait_for_spectrogram(page)
    before = station.requests.count("/api/v1/events")
    station.close_streams()
    wait_until(lambda: station.requests.count("/api/v1/events") > before)
    n_visible = (spectrogram_pixels(page)[0, :, 3] > 0).sum()
    wait_until(lambda: (spectrogram_pixels(page)[0, :, 3] > 0).sum() > n_visible + 40)  # well into the new columns
    pixels = spectrogram_pixels(page)
    assert coverage_changes(pixels) == [1]
    assert (pixels[0, :, 3] > 0).mean() * 30 / FRAME_S < station.n_columns()  # the spectrogram has room for 30 s


@pytest.mark.parametrize(
    ("statuses", "message"),
    [
        ({"/api/v1/events": HTTPStatus.SERVICE_UNAVAILABLE}, "has no free connection"),
        (dict.fromkeys(("/api/v1/events", "/api/v1/status"), HTTPStatus.UNAUTHORIZED), "requires a token"),
    ],
    ids=["busy", "unauthorized"],
)
def test_error_response(
    station: FakeStation, open_page: OpenPage, statuses: dict[str, HTTPStatus], message: str
) -> None:
    """The page shows the reason and tries again."""
    station.error_statuses = statuses
    page = open_page(station, at=time.time())
    expect(page.locator("#banner")).to_contain_text(message)
    station.error_statuses = {}
    page.clock.fast_forward(5000)
    expect(page.locator("#state")).to_have_text("Live")
    expect(page.locator("#banner")).to_be_hidden()


def test_stalled_stream_reconnects(station: FakeStation, open_page: OpenPage) -> None:
    """A stream that is open without events is replaced after the time-out."""
    page = open_page(station, at=time.time())
    expect(page.locator("#state")).to_have_text("Live")
    station.stalled = True
    time.sleep(0.5)  # for events on their way
    before = station.requests.count("/api/v1/events")
    page.clock.fast_forward(11000)
    wait_until(lambda: station.requests.count("/api/v1/events") > before)


# Day


def test_day_chart_legend_and_table(open_page: OpenPage) -> None:
    """Chart, legend and table have the day's counts; a genre of the legend can be selected."""
    quarter = time.time() // BIN_S * BIN_S
    hour = quarter // 3600 * 3600 - 7200
    bins = [
        {"start": hour, "genres": {"jazz": 10, "rock": 2}, "none": 0},
        {"start": hour + BIN_S, "genres": {"jazz": 5}, "none": 3},
    ]
    with FakeStation(bins=bins) as station:
        page = open_page(station)
        expect(page.locator("#chart rect")).to_have_count(4)
        heights = [float(rect.get_attribute("height") or 0) for rect in page.locator("#chart rect").all()]
        assert heights == pytest.approx([100 * count / 12 for count in (10, 2, 5, 3)])
        assert page.locator("#legend li").all_inner_texts() == ["Ja\nJazz\n75 %", "Ro\nRock\n10 %", "–\nNo genre\n15 %"]
        page.get_by_role("button", name="Rock").press("Enter")
        expect(page.locator("#chart rect:not(.dim)")).to_have_count(1)
        page.locator("summary").press("Enter")
        assert page.locator("#table tbody td").all_inner_texts() == ["15", "2", "3"]


def test_day_first_verdict(station: FakeStation, open_page: OpenPage) -> None:
    """The first verdict of an empty day appears at once."""
    page = open_page(station)
    expect(page.locator("#chart-maximum")).to_have_text("No verdicts yet")
    station.bins = [{"start": time.time() // BIN_S * BIN_S, "genres": {"jazz": 1}, "none": 0}]
    expect(page.locator("#chart rect")).to_have_count(1)


# Health


def test_health_values(open_page: OpenPage) -> None:
    """Health values are formatted, and problems are marked."""
    with FakeStation(dropped_samples=44100, temperature_c=None, uptime_s=90061, lag_ms=None, outages=2) as station:
        page = open_page(station)
        expect(page.locator("#health-list")).to_contain_text("44,100 (1.00 s)")
        expect(page.locator("#health-list")).to_contain_text("1 d 1 h")
        assert page.get_by_text("Temperature").count() == 0 or page.get_by_text("Temperature").is_hidden()
        assert page.locator("#health-list .alarm dt").all_inner_texts() == ["Dropped samples", "Outages"]


def test_health_level(station: FakeStation, open_page: OpenPage) -> None:
    """The level follows the status, and is hidden without one."""
    page = open_page(station)
    level = page.locator("#health-list div", has=page.get_by_text("Level", exact=True)).locator("dd")
    expect(level).to_have_text("−23 dB")
    station.status_overrides["level_db"] = -61.0
    expect(level).to_have_text("−61 dB")
    station.status_overrides["level_db"] = None
    expect(level).to_be_hidden()


def test_health_failures(station: FakeStation, open_page: OpenPage) -> None:
    """Failures of history and MQTT are marked until they end."""
    page = open_page(station)
    alarms = page.locator("#health-list .alarm dt")
    expect(page.locator("#health-list")).to_contain_text("In a file")
    expect(page.get_by_text("MQTT broker")).to_be_hidden()
    station.status_overrides |= {"history": "failing", "mqtt": "failing"}
    expect(alarms).to_have_text(["History", "MQTT broker"])
    station.status_overrides |= {"history": "read_only", "history_lost": 2}
    expect(page.locator("#health-list")).to_contain_text("Read-only file; the newest verdicts are kept in memory; 2")
    station.status_overrides |= {"history": "memory", "history_lost": 0, "mqtt": "connected"}
    expect(alarms).to_have_count(0)
    expect(page.locator("#health-list")).to_contain_text("Connected")


def test_station_paused(station: FakeStation, open_page: OpenPage) -> None:
    """A station that is paused by MQTT is marked, without an alarm; the page's own pause is another one."""
    page = open_page(station)
    expect(page.locator("#state")).to_have_text("Live")
    station.status_overrides |= {"listening": False, "paused": True}
    expect(page.locator("#state")).to_have_text("Station paused")
    expect(page.locator("#health-list")).to_contain_text("None, the station is paused")
    expect(page.locator("#health-list .alarm")).to_have_count(0)
    expect(page.locator("body")).to_have_class("stale")
    page.locator("#pause").click()
    expect(page.locator("#state")).to_have_text("Paused")
    page.locator("#pause").click()
    station.status_overrides |= {"listening": True, "paused": False}
    expect(page.locator("#state")).to_have_text("Live")


def test_no_audio(station: FakeStation, open_page: OpenPage) -> None:
    """A station that is not listening is marked."""
    page = open_page(station)
    expect(page.locator("#state")).to_have_text("Live")
    station.status_overrides["listening"] = False
    expect(page.locator("#state")).to_have_text("No audio")
    expect(page.locator("#health-list .alarm dt")).to_have_text(["Audio"])
