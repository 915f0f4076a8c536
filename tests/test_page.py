"""The station's page in a real browser, before a made-up station (page_server.py)."""

import base64
import io
import re
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import librosa
import numpy as np
import pytest
from page_server import ARGUMENTS, BIN_S, CHROMIUM, LABELS, STATIC, Station, verdict
from PIL import Image

pytest.importorskip("playwright", reason="needs Playwright (extra `test`)")
if not CHROMIUM.exists():
    pytest.skip("needs Debian's chromium", allow_module_level=True)

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

Open = Callable[..., Page]
# What the browser logs of a station that is stopped or refuses, which the page cannot prevent.
EXPECTED = re.compile("ERR_CONNECTION_(REFUSED|RESET)|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|status of (401|503)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def station() -> Iterator[Station]:
    with Station(verdict_s=0.5) as station:
        yield station


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens the page of a station. Whatever the test: nothing may go wrong in the script or leave the origin."""
    contexts, problems, requests = [], [], []

    def open_page(station: Station, width: int = 1280, height: int = 900, at: float | None = None, **look: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **look)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append((message.type, message.text)))
        page.on("pageerror", lambda error: problems.append(("error", str(error))))
        page.on("request", lambda request: requests.append((station.url, request.url)))
        if at is not None:
            page.clock.install(time=at)
        page.goto(station.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not [text for kind, text in problems if kind == "error" and not EXPECTED.search(text)]
    assert requests and all(url.startswith(origin) for origin, url in requests)


def picture(page: Page) -> np.ndarray:
    """The spectrogram as it is seen: `(height, width, 4)` uint8."""
    url = page.evaluate("document.querySelector('#spectrogram').toDataURL()")
    return np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def wait(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def spectrogram_begun(page: Page) -> None:
    expect(page.locator("#loudest")).to_contain_text("dB", timeout=20000)


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


def test_pause_by_keyboard_holds_everything_still(station: Station, open_page: Open) -> None:
    page = open_page(station)
    spectrogram_begun(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "pause"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Paused")
    held = picture(page), page.locator("main").inner_text()
    time.sleep(1.5)
    assert (picture(page) == held[0]).all() and page.locator("main").inner_text() == held[1]
    page.keyboard.press("Space")
    expect(page.locator("#state")).to_have_text("Listening")
    wait(lambda: (picture(page) != held[0]).any() and page.locator("main").inner_text() != held[1])


@pytest.mark.parametrize("width", [320, 360])
def test_a_narrow_screen_needs_no_sideways_scrolling(open_page: Open, width: int) -> None:
    bins = [{"start": time.time() // BIN_S * BIN_S - 3600, "genres": dict.fromkeys(LABELS, 9), "none": 5}]
    with Station(lambda when: (None, "not_music"), source="x" * 300, listening=False, bins=bins) as station:
        page = open_page(station, width=width, height=640)
        expect(page.locator("#genre")).to_have_text("No music")
        expect(page.locator("#legend li")).to_have_count(11)
        page.locator("summary").click()
        page.locator("#pause").click()
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
        cut = "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, .unseen')"
        assert page.evaluate(f"{cut} && e.getBoundingClientRect().right > {width}).map(e => e.outerHTML)") == []


def test_light_and_dark(station: Station, open_page: Open) -> None:
    lightness = {}
    for scheme in ("light", "dark"):
        page = open_page(station, color_scheme=scheme)
        ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        lightness[scheme] = sum(map(int, re.findall(r"\d+", ground)))
        lightness[scheme, "seen"] = page.screenshot()
    assert lightness["light"] > 700 and lightness["dark"] < 100
    assert lightness["light", "seen"] != lightness["dark", "seen"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lost", [False, True])
def test_axe_finds_nothing(station: Station, open_page: Open, scheme: str, lost: bool) -> None:
    station.bins = [{"start": time.time() // BIN_S * BIN_S, "genres": dict.fromkeys(LABELS, 9), "none": 5}]
    page = open_page(station, color_scheme=scheme)
    spectrogram_begun(page)
    page.locator("summary").click()
    if lost:
        station.stop()
        expect(page.locator("#banner")).to_be_visible()
        station.start()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_who_wants_no_motion_gets_still_pictures(station: Station, open_page: Open) -> None:
    def pictures(motion: str) -> int:
        page = open_page(station, width=400, reduced_motion=motion)
        spectrogram_begun(page)
        wait(lambda: picture(page)[..., 3].any())
        return len({picture(page).tobytes() for _ in range(12) if page.wait_for_timeout(60) is None})

    assert pictures("reduce") <= 3 < pictures("no-preference")


def test_a_screen_reader_hears_changes_only(station: Station, open_page: Open) -> None:
    station.heard = lambda when: ("jazz", None)
    page = open_page(station, at=time.time())
    expect(page.locator("#genre")).to_have_text("Jazz")
    page.evaluate("""() => {
        window.said = [];
        new MutationObserver(() => said.push(document.querySelector('#spoken').textContent))
            .observe(document.querySelector('#spoken'), {childList: true, characterData: true, subtree: true});
    }""")
    count = len(station.verdicts)
    wait(lambda: len(station.verdicts) > count + 3)
    station.heard = lambda when: ("rock", None)
    expect(page.locator("#genre")).to_have_text("Rock")
    page.clock.fast_forward(16000)
    expect(page.locator("#spoken")).to_have_text("Rock")
    assert page.evaluate("said") == ["Rock"]


def test_a_hostile_name_is_text(open_page: Open) -> None:
    name = "<img src=x onerror=\"document.title='gone'\"><script>alert(1)</script>"
    with Station(lambda when: (name, None), source=name, labels=[*LABELS, name]) as station:
        page = open_page(station)
        expect(page.locator("#source")).to_have_text(name)
        expect(page.locator("#facts dd").first).to_have_text(name)
        expect(page.locator("#genre")).to_have_text(name)
        assert page.locator("img").count() == 1 and page.locator("script").count() == 1  # its own
        assert "gone" not in page.title().split("·")[1]


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


def test_health_in_words(open_page: Open) -> None:
    with Station(dropped_samples=44100, temperature_c=None, uptime_s=90061, lag_ms=None, outages=2) as station:
        page = open_page(station)
        expect(page.locator("#facts")).to_contain_text("44,100 (1.00 s)")
        expect(page.locator("#facts")).to_contain_text("1 d 1 h")
        assert page.get_by_text("Temperature").count() == 0 or page.get_by_text("Temperature").is_hidden()
        assert page.locator("#facts .alarm dt").all_inner_texts() == ["Samples lost", "Outages"]


def test_letters_tell_any_genres_apart(station: Station, open_page: Open) -> None:
    labels = [*LABELS, "post", "pep", "p", "pp", "p & p", "ppp"]
    codes = open_page(station).evaluate(
        "labels => import('/static/genres.js').then(({look}) => labels.map(label => look(label).code))", labels
    )
    assert len(set(codes)) == len(labels)


def test_no_text_becomes_markup_and_nothing_comes_from_elsewhere() -> None:
    files = {path.name: path.read_text() for path in STATIC.iterdir()}
    assert {"page.html", "page.js", "page.css", "icon.svg"} <= files.keys()
    for name, text in files.items():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text), name
        assert re.findall(r"https?://[^\"]+", text) in ([], ["http://www.w3.org/2000/svg"]), name
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! type=\"module\" src=)", files["page.html"])
