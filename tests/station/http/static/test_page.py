"""The station's page in a real browser, before a made-up station: what moves, and what happens when it does not."""

import re
import time
from collections.abc import Iterator
from http import HTTPStatus

import librosa
import numpy as np
import pytest

from tests.helpers.page import Open, expect, picture, spectrogram_begun, wait
from tests.helpers.page_server import BIN_S, LABELS, Station, verdict


@pytest.fixture
def station() -> Iterator[Station]:
    with Station(verdict_s=0.5) as station:
        yield station


def test_the_spectrogram_moves(station: Station, open_page: Open) -> None:
    page = open_page(station)
    spectrogram_begun(page)
    before = picture(page)
    known = (before[..., 3] > 0).mean()
    wait(lambda: (picture(page)[..., 3] > 0).mean() > known)
    after = picture(page)
    assert before.shape == after.shape and (before != after).any()


@pytest.mark.parametrize("band", [5, 64, 120])
def test_a_tone_is_where_the_axis_says(open_page: Open, band: int) -> None:
    columns = np.zeros((400, 128), np.uint8)
    columns[:, band] = 204
    hz = float(librosa.mel_frequencies(130, fmin=0, fmax=11025)[band + 1])
    words = f"{round(hz / 10) * 10} Hz" if hz < 1000 else f"{hz / 1000:.1f} kHz"
    with Station(columns=columns) as station:
        page = open_page(station)
        expect(page.locator("#loudest")).to_have_text(f"Loudest: −16 dB near {words}")
        wait(lambda: picture(page)[:, -1, 3].all())
        lightness = picture(page)[:, -1, :3].sum(axis=1, dtype=int)
        row = np.flatnonzero(lightness == lightness.max()).mean()
        assert row == pytest.approx((127.5 - band) / 128 * len(lightness), abs=len(lightness) / 128)


def test_the_verdict_and_its_bars_follow_the_station(station: Station, open_page: Open) -> None:
    page = open_page(station)
    for genre in ("metal", "hiphop"):
        station.heard = lambda when, genre=genre: (genre, None)
        expect(page.locator("#genre")).to_have_text({"metal": "Metal", "hiphop": "Hip hop"}[genre])
        expect(page.locator("#sure")).to_have_text(re.compile(r"^\d+ % sure$"))
        expect(page.locator("#bars .best .label")).to_have_text(page.locator("#genre").inner_text())
    assert page.locator("#bars .label").all_inner_texts() == [label.capitalize() for label in LABELS[:4]] + [
        "Hip hop"
    ] + [label.capitalize() for label in LABELS[5:]]
    page.wait_for_function("document.querySelector('#bars .best .bar').getBoundingClientRect().width > 10")


@pytest.mark.parametrize(
    ("reason", "name", "words"),
    [
        ("silence", "Silence", "Too quiet to hear anything"),
        ("not_music", "No music", "Sounds like no music; if it were: Jazz, 28 %"),
        ("low_confidence", "Not sure", "A guess would be: Jazz, 28 %"),
    ],
)
def test_an_honest_i_do_not_know(open_page: Open, reason: str, name: str, words: str) -> None:
    with Station(lambda when: (None, reason)) as station:
        page = open_page(station)
        expect(page.locator("#genre")).to_have_text(name)
        expect(page.locator("#sure")).to_have_text(words)
        assert page.locator("#bars .best").count() == 0
        expect(page.locator("#changes li").first).to_contain_text(name)


def test_the_timeline_grows_and_tells_changes(station: Station, open_page: Open) -> None:
    station.heard = lambda when: ("jazz", None)
    page = open_page(station)
    expect(page.locator("#count")).to_have_text(re.compile("[3-9] verdicts"))
    expect(page.locator("#timeline .block")).to_have_count(1)
    station.heard = lambda when: ("rock", None)
    expect(page.locator("#timeline .block")).to_have_count(2)
    expect(page.locator("#changes strong")).to_have_text(["Rock", "Jazz"])


@pytest.mark.parametrize("hours_off", [-30, 0, 5])
def test_a_wrong_clock_of_the_viewer_moves_no_verdict(open_page: Open, hours_off: int) -> None:
    now = time.time()
    past = [verdict(when, ("pop", None), "radio") for when in np.arange(now - 300, now - 5, 5.0)]
    with Station(past=past, verdict_s=1000) as station:
        page = open_page(station, at=now + 3600 * hours_off)
        expect(page.locator("#timeline .block")).to_have_count(1)
        share = "(b, t) => [b.x - t.x, b.right - t.x].map(x => x / t.width)"
        left, right = page.evaluate(
            f"({share})(...['.block', '#timeline'].map(s => document.querySelector(s).getBoundingClientRect()))"
        )
        assert 0.6 < left < right < 1


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_set_leaves_the_newest_verdict_current(station: Station, open_page: Open, hours: int) -> None:
    station.heard = lambda when: ("jazz", None)
    page = open_page(station)
    expect(page.locator("#timeline .block")).to_have_count(1)
    expect(page.locator("#genre")).to_have_text("Jazz")
    station.ahead_s, station.heard = 3600.0 * hours, lambda when: ("rock", None)
    expect(page.locator("#genre")).to_have_text("Rock")
    expect(page.locator("#changes strong")).to_have_text(["Rock"])  # jazz is hours ago, or hours ahead
    expect(page.locator("#count")).to_have_text(re.compile("[3-9] verdicts"))


def test_after_a_restart_that_forgot_all_the_new_verdict_is_current(open_page: Open) -> None:
    with Station(lambda when: ("jazz", None), verdict_s=1000) as station:
        page = open_page(station)
        expect(page.locator("#genre")).to_have_text("Jazz")
        station.stop()
        expect(page.locator("#state")).to_have_text("Not connected")
        station.heard = lambda when: ("reggae", None)
        station.start()
        station.listen()  # before anybody asks
        expect(page.locator("#genre")).to_have_text("Reggae", timeout=20000)


def test_it_comes_back_after_the_station_was_restarted(station: Station, open_page: Open) -> None:
    page = open_page(station)
    spectrogram_begun(page)
    expect(page.locator("#state")).to_have_text("Listening")
    station.stop()
    expect(page.locator("#banner")).to_contain_text("Connection lost, trying again")
    expect(page.locator("#state")).to_have_text("Not connected")
    time.sleep(1)
    station.heard = lambda when: ("reggae", None)
    station.requests.clear()
    station.start()
    expect(page.locator("#banner")).to_be_hidden(timeout=20000)
    expect(page.locator("#genre")).to_have_text("Reggae")
    assert any("/history" in path for path in station.requests) and "/api/v1/day" in station.requests

    def hole() -> bool:
        """Sound, then nothing, then sound: what was missed is left empty."""
        seen = (picture(page)[0, :, 3] > 0).astype(int)
        return list(np.diff(seen)[np.diff(seen) != 0]) == [1, -1, 1]

    wait(hole)


def test_a_line_that_was_cut_leaves_no_hole(station: Station, open_page: Open) -> None:
    page = open_page(station)
    spectrogram_begun(page)
    before = station.requests.count("/api/v1/events")
    station.cut()
    wait(lambda: station.requests.count("/api/v1/events") > before)
    known = (picture(page)[0, :, 3] > 0).sum()
    wait(lambda: (picture(page)[0, :, 3] > 0).sum() > known + 40)  # pixels: well into what came after
    seen = (picture(page)[0, :, 3] > 0).astype(int)
    assert list(np.diff(seen)[np.diff(seen) != 0]) == [1]
    age_s = time.monotonic() - station.began
    assert seen.mean() * 30 < age_s  # nothing is shown twice


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        ({"/api/v1/events": HTTPStatus.SERVICE_UNAVAILABLE}, "serves as many pages as it can"),
        (dict.fromkeys(("/api/v1/events", "/api/v1/status"), HTTPStatus.UNAUTHORIZED), "wants a token"),
    ],
)
def test_a_refusal_is_told_and_tried_again(
    station: Station, open_page: Open, refuse: dict[str, HTTPStatus], words: str
) -> None:
    station.refuse = refuse
    page = open_page(station, at=time.time())
    expect(page.locator("#banner")).to_contain_text(words)
    station.refuse = {}
    page.clock.fast_forward(5000)
    expect(page.locator("#state")).to_have_text("Listening")
    expect(page.locator("#banner")).to_be_hidden()


def test_a_line_that_is_open_but_dead_is_opened_anew(station: Station, open_page: Open) -> None:
    page = open_page(station, at=time.time())
    expect(page.locator("#state")).to_have_text("Listening")
    station.mute = True
    time.sleep(0.5)
    before = station.requests.count("/api/v1/events")
    page.clock.fast_forward(11000)
    wait(lambda: station.requests.count("/api/v1/events") > before)


def test_the_day_as_chart_legend_and_table(open_page: Open) -> None:
    quarter = time.time() // BIN_S * BIN_S
    hour = quarter // 3600 * 3600 - 7200
    bins = [
        {"start": hour, "genres": {"jazz": 10, "rock": 2}, "none": 0},
        {"start": hour + BIN_S, "genres": {"jazz": 5}, "none": 3},
    ]
    with Station(bins=bins) as station:
        page = open_page(station)
        expect(page.locator("#chart rect")).to_have_count(4)
        heights = [float(rect.get_attribute("height") or 0) for rect in page.locator("#chart rect").all()]
        assert heights == pytest.approx([100 * count / 12 for count in (10, 2, 5, 3)])
        assert page.locator("#legend li").all_inner_texts() == ["Ja\nJazz\n75 %", "Ro\nRock\n10 %", "–\nNo genre\n15 %"]
        page.get_by_role("button", name="Rock").press("Enter")
        expect(page.locator("#chart rect:not(.dim)")).to_have_count(1)
        page.locator("summary").press("Enter")
        assert page.locator("#table tbody td").all_inner_texts() == ["15", "2", "3"]


def test_the_day_begins_with_its_first_verdict(station: Station, open_page: Open) -> None:
    page = open_page(station)
    expect(page.locator("#most")).to_have_text("No verdicts yet")
    station.bins = [{"start": time.time() // BIN_S * BIN_S, "genres": {"jazz": 1}, "none": 0}]
    expect(page.locator("#chart rect")).to_have_count(1)


def test_health_in_words(open_page: Open) -> None:
    with Station(dropped_samples=44100, temperature_c=None, uptime_s=90061, lag_ms=None, outages=2) as station:
        page = open_page(station)
        expect(page.locator("#facts")).to_contain_text("44,100 (1.00 s)")
        expect(page.locator("#facts")).to_contain_text("1 d 1 h")
        assert page.get_by_text("Temperature").count() == 0 or page.get_by_text("Temperature").is_hidden()
        assert page.locator("#facts .alarm dt").all_inner_texts() == ["Samples lost", "Outages"]


def test_the_level_is_told_as_it_changes(station: Station, open_page: Open) -> None:
    page = open_page(station)
    level = page.locator("#facts div", has=page.get_by_text("Level", exact=True)).locator("dd")
    expect(level).to_have_text("−23 dB")
    station.override["level_db"] = -61.0
    expect(level).to_have_text("−61 dB")
    station.override["level_db"] = None
    expect(level).to_be_hidden()


def test_what_fails_is_not_hidden(station: Station, open_page: Open) -> None:
    page = open_page(station)
    alarms = page.locator("#facts .alarm dt")
    expect(page.locator("#facts")).to_contain_text("In a file")
    expect(page.get_by_text("MQTT broker")).to_be_hidden()
    station.override |= {"history": "failing", "mqtt": "failing"}
    expect(alarms).to_have_text(["History", "MQTT broker"])
    station.override |= {"history": "memory", "mqtt": "connected"}
    expect(alarms).to_have_count(0)
    expect(page.locator("#facts")).to_contain_text("Connected")
