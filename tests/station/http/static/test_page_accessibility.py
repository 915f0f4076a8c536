"""The web page on small screens, in dark mode, by keyboard, with screen readers; and text from the station as text."""

import re
import time

import pytest

from tests.helpers.page import OpenPage, expect, spectrogram_pixels, wait_for_spectrogram, wait_until
from tests.helpers.page_server import BIN_S, LABELS, FakeStation, make_styles

pytestmark = pytest.mark.browser


def test_pause_by_keyboard(station: FakeStation, open_page: OpenPage) -> None:
    """While the page is paused, nothing on it changes."""
    page = open_page(station)
    wait_for_spectrogram(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "pause"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Paused")
    pixels, text = spectrogram_pixels(page), page.locator("main").inner_text()
    n_verdicts = len(station.verdicts)
    wait_until(lambda: len(station.verdicts) > n_verdicts + 1)
    assert (spectrogram_pixels(page) == pixels).all() and page.locator("main").inner_text() == text
    page.keyboard.press("Space")
    expect(page.locator("#state")).to_have_text("Live")
    wait_until(lambda: (spectrogram_pixels(page) != pixels).any() and page.locator("main").inner_text() != text)


@pytest.mark.parametrize("width", [320, 360])
def test_narrow_screen(open_page: OpenPage, width: int) -> None:
    """Nothing extends beyond the screen, so that no horizontal scrolling is needed."""
    bins = [{"start": time.time() // BIN_S * BIN_S - 3600, "genres": dict.fromkeys(LABELS, 9), "none": 5}]
    with FakeStation(lambda when: (None, "not_music"), source="x" * 300, listening=False, bins=bins) as station:
        page = open_page(station, width=width, height=640)
        expect(page.locator("#genre")).to_have_text("No music")
        expect(page.locator("#legend li")).to_have_count(11)
        page.locator("summary").click()
        page.locator("#pause").click()
        root = "document.documentElement"
        assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
        visible = "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, .visually-hidden')"
        assert page.evaluate(f"{visible} && e.getBoundingClientRect().right > {width}).map(e => e.outerHTML)") == []


@pytest.mark.parametrize("outcome", [("x" * 100, None), (None, "not_music")], ids=["music", "not music"])
def test_narrow_screen_long_names(open_page: OpenPage, outcome: tuple[str | None, str | None]) -> None:
    """The longest names of genres, styles and sounds that a model may have do not widen the page."""
    name, is_music = "x" * 100, outcome[1] is None
    bins = [{"start": time.time() // BIN_S * BIN_S - 3600, "genres": {name: 9}, "none": 5}]
    fields = {"styles": make_styles(*(c * 100 for c in "abc")) if is_music else [], "sound": None if is_music else name}
    with FakeStation(lambda when: outcome, labels=[*LABELS, name], bins=bins, fields=fields) as station:
        page = open_page(station, width=320, height=640)
        expect(page.locator("#genre")).to_contain_text(name, ignore_case=True)
        expect(page.locator("#changes li")).to_have_count(1)
        expect(page.locator("#legend li")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        visible = "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, .visually-hidden')"
        assert page.evaluate(f"{visible} && e.getBoundingClientRect().right > 320).map(e => e.outerHTML)") == []


def test_colour_schemes(station: FakeStation, open_page: OpenPage) -> None:
    """The page follows the system's light or dark scheme."""
    lightness, screenshots = {}, {}
    for scheme in ("light", "dark"):
        page = open_page(station, color_scheme=scheme)
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        lightness[scheme] = sum(map(int, re.findall(r"\d+", background)))
        screenshots[scheme] = page.screenshot()
    assert lightness["light"] > 700 and lightness["dark"] < 100
    assert screenshots["light"] != screenshots["dark"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "disconnected"])
def test_axe_finds_no_violations(station: FakeStation, open_page: OpenPage, scheme: str, connected: bool) -> None:
    """axe finds no accessibility violation, connected and disconnected."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe (extra `test`)")
    station.bins = [{"start": time.time() // BIN_S * BIN_S, "genres": dict.fromkeys(LABELS, 9), "none": 5}]
    page = open_page(station, color_scheme=scheme)
    wait_for_spectrogram(page)
    page.locator("summary").click()
    if not connected:
        station.stop()
        expect(page.locator("#banner")).to_be_visible()
        station.start()
    results = axe.Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_reduced_motion(station: FakeStation, open_page: OpenPage) -> None:
    """With prefers-reduced-motion, the spectrogram changes every few seconds only."""

    def count_pictures(motion: str) -> tuple[int, float]:
        page = open_page(station, width=400, reduced_motion=motion)
        wait_for_spectrogram(page)
        wait_until(lambda: spectrogram_pixels(page)[..., 3].any())
        pictures, start_s = set(), time.monotonic()
        for _ in range(12):
            page.wait_for_timeout(60)
            pictures.add(spectrogram_pixels(page).tobytes())
        return len(pictures), time.monotonic() - start_s

    n_reduced, duration_s = count_pictures("reduce")
    assert n_reduced <= 3 + duration_s / 2  # one every 2 s; the window's first size may add one
    assert count_pictures("no-preference")[0] > 3


def test_announcements(station: FakeStation, open_page: OpenPage) -> None:
    """A screen reader announces a changed genre, and no repeated ones."""
    station.outcome = lambda when: ("jazz", None)
    page = open_page(station, at=time.time())
    expect(page.locator("#genre")).to_have_text("Jazz")
    page.evaluate("""() => {
        const announcement = document.querySelector('#announcement');
        window.announced = [];
        new MutationObserver(() => announced.push(announcement.textContent))
            .observe(announcement, {childList: true, characterData: true, subtree: true});
    }""")
    count = len(station.verdicts)
    wait_until(lambda: len(station.verdicts) > count + 3)
    station.outcome = lambda when: ("rock", None)
    expect(page.locator("#genre")).to_have_text("Rock")
    page.clock.fast_forward(16000)
    expect(page.locator("#announcement")).to_have_text("Rock")
    assert page.evaluate("announced") == ["Rock"]


def test_markup_in_names(open_page: OpenPage) -> None:
    """Names of sources and genres are shown as text, never as HTML."""
    name = "<img src=x onerror=\"document.title='changed'\"><script>alert(1)</script>"
    with FakeStation(lambda when: (name, None), source=name, labels=[*LABELS, name]) as station:
        page = open_page(station)
        expect(page.locator("#source")).to_have_text(name)
        expect(page.locator("#health-list dd").first).to_have_text(name)
        expect(page.locator("#genre")).to_have_text(name)
        assert page.locator("img").count() == 1 and page.locator("script").count() == 1  # the page's own
        assert "changed" not in page.title().split("·")[1]


def test_markup_in_styles_and_sounds(station: FakeStation, open_page: OpenPage) -> None:
    """Names of styles and sounds are shown as text."""
    name = "<img src=x onerror=\"document.title='changed'\">"
    station.outcome, station.fields = lambda when: ("jazz", None), {"styles": make_styles(name, "__proto__")}
    page = open_page(station)
    expect(page.locator("#confidence")).to_contain_text(f"· {name}, __proto__")
    expect(page.locator("#changes .text")).to_contain_text(f"· {name}, __proto__")
    station.outcome, station.fields = lambda when: (None, "not_music"), {"sound": name}
    expect(page.locator("#genre")).to_have_text(f"Not music: {name}")
    expect(page.locator("#changes strong").first).to_have_text(f"Not music: {name}")
    assert page.locator("img").count() == 1


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString"])
def test_names_of_object_properties(open_page: OpenPage, name: str) -> None:
    """Genres may have the names of properties of JavaScript's objects."""
    start = time.time() // BIN_S * BIN_S - 3600
    bins = [
        {"start": start, "genres": {name: 3}, "none": 0},
        {"start": start - BIN_S, "genres": {"jazz": 1}, "none": 0},
    ]
    with FakeStation(lambda when: (name, None), labels=[*LABELS, name], bins=bins) as station:
        page = open_page(station)
        expect(page.locator("#genre")).to_have_text(name, ignore_case=True)
        expect(page.locator("#chart rect")).to_have_count(2)
        expect(page.locator("#legend .note")).to_have_text(["25 %", "75 %"])
        page.locator("summary").click()
        assert sum(int(text) for text in page.locator("#table tbody td").all_inner_texts()) == 4


def test_genre_codes_are_unique(station: FakeStation, open_page: OpenPage) -> None:
    """Each genre has a code of its own, for similar names too."""
    labels = [*LABELS, "post", "pep", "p", "pp", "p & p", "ppp"]
    codes = open_page(station).evaluate(
        "labels => import('/static/genres.js').then(({genreStyle}) => labels.map(label => genreStyle(label).code))",
        labels,
    )
    assert len(set(codes)) == len(labels)
