"""The station's page for everybody: narrow, dark, still, by keyboard, read aloud; and safe from what it is told."""

import re
import time
from collections.abc import Iterator

import pytest

from tests.helpers.page import Open, expect, picture, spectrogram_begun, wait
from tests.helpers.page_server import BIN_S, LABELS, STATIC, Station


@pytest.fixture
def station() -> Iterator[Station]:
    with Station(verdict_s=0.5) as station:
        yield station


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
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe (extra `test`)")
    station.bins = [{"start": time.time() // BIN_S * BIN_S, "genres": dict.fromkeys(LABELS, 9), "none": 5}]
    page = open_page(station, color_scheme=scheme)
    spectrogram_begun(page)
    page.locator("summary").click()
    if lost:
        station.stop()
        expect(page.locator("#banner")).to_be_visible()
        station.start()
    found = axe.Axe().run(page)
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
