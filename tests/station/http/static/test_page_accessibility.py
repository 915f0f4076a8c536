"""The web page on small screens, in dark mode, by keyboard, with screen readers; and text from the station as text."""

import re
import time

import pytest

from tests.helpers.page import OpenPage, expect, spectrogram_pixels, wait_for_spectrogram, wait_until
from tests.helpers.page_server import BIN_S, LABELS, FakeStation

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


def test_genre_codes_are_unique(station: FakeStation, open_page: OpenPage) -> None:
    """Each genre has a code of its own, for similar names too."""
    labels = [*LABELS, "post", "pep", "p", "pp", "p & p", "ppp"]
    codes = open_page(station).evaluate(
        "labels => import('/static/genres.js').then(({genreStyle}) => labels.map(label => genreStyle(label).code))",
        labels,
    )
    assert len(set(codes)) == len(labels)
