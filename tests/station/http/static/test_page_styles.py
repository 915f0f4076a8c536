"""The web page on a fake station whose model has styles and sounds, or many labels."""

import re
import time

import pytest

from tests.helpers.page import OpenPage, expect
from tests.helpers.page_server import BIN_S, FakeStation, make_styles, make_verdict

pytestmark = pytest.mark.browser


def test_verdict_styles(station: FakeStation, open_page: OpenPage) -> None:
    """The likely styles follow the confidence, above and in the list, without the style that is the genre itself."""
    station.outcome = lambda when: ("jazz", None)
    station.fields = {"styles": make_styles("swing", "jazz", "blues")}
    page = open_page(station)
    expect(page.locator("#confidence")).to_have_text(re.compile(r"^\d+ % confidence · swing, blues$"))
    expect(page.locator("#changes .text")).to_have_text(re.compile(r"^Jazz \d+ % · swing, blues$"))
    station.outcome = lambda when: (None, "low_confidence")
    expect(page.locator("#confidence")).to_have_text("Best match: Jazz, 28 % · swing, jazz, blues")
    expect(page.locator("#changes .text").first).to_have_text("Uncertain · swing, jazz, blues")


def test_changes_common_styles(open_page: OpenPage) -> None:
    """A line of the list has at most three styles, of at least half of its verdicts, most probable first."""
    now = time.time()
    lists = [
        ("swing", "rare"),
        ("bebop", "swing", "cool"),
        ("bebop", "swing", "cool"),
        ("bebop", "swing", "cool", "bop"),
    ]
    past = [
        make_verdict(now - 60 + 5 * i, ("jazz", None), "radio") | {"styles": make_styles(*names)}
        for i, names in enumerate([*lists, ("bop",), ("bop",)])
    ]
    with FakeStation(past=past, verdict_s=1000) as station:
        expect(open_page(station).locator("#changes .text")).to_have_text(re.compile("^Jazz .* % · swing, bebop, bop$"))


def test_verdicts_without_styles(open_page: OpenPage) -> None:
    """Verdicts that an earlier version stored, without styles and sound, are shown as before."""
    old = make_verdict(time.time() - 30, ("jazz", None), "radio") | {"schema_version": 1}
    older = make_verdict(time.time() - 60, (None, "not_music"), "radio") | {"schema_version": 1}
    for verdict in (old, older):
        del verdict["styles"], verdict["sound"]
    with FakeStation(past=[older, old], verdict_s=1000) as station:
        page = open_page(station)
        expect(page.locator("#confidence")).to_have_text(re.compile(r"^\d+ % confidence$"))
        expect(page.locator("#changes .text")).to_have_text([re.compile(r"^Jazz \d+ %$"), re.compile("^No music *$")])


def test_verdict_sounds(station: FakeStation, open_page: OpenPage) -> None:
    """The sound takes the place of "No music"; each sound has a block and a line of its own."""
    station.outcome, station.fields = lambda when: (None, "not_music"), {"sound": "speech"}
    page = open_page(station)
    expect(page.locator("#genre")).to_have_text("Not music: speech")
    expect(page.locator("#confidence")).to_have_text("Probably not music. Best match: Jazz, 28 %")
    station.fields = {"sound": "noise"}
    expect(page.locator("#genre")).to_have_text("Not music: noise")
    expect(page.locator("#changes strong")).to_have_text(["Not music: noise", "Not music: speech"])
    expect(page.locator("#timeline .block.none")).to_have_count(2)
    station.outcome, station.fields = lambda when: (None, "silence"), {"sound": "silence"}
    expect(page.locator("#genre")).to_have_text("Silence")


def test_many_labels(open_page: OpenPage) -> None:
    """Of a vocabulary with more than 20 labels, the ten most probable have a bar; all can be highlighted."""
    labels = [f"style {i}" for i in range(60)]
    genres = [{"genre": name, "probability": 0.9 - 0.04 * i} for i, name in enumerate(labels[40:60])]
    bins = [{"start": time.time() // BIN_S * BIN_S - 3600, "genres": dict.fromkeys(labels, 1), "none": 0}]
    with FakeStation(
        lambda when: ("style 40", None), labels=labels, bins=bins, fields={"genres": genres}, verdict_s=0.2
    ) as station:
        page = open_page(station)
        expect(page.locator("#bars .label")).to_have_text([f"Style {i}" for i in range(40, 50)])
        expect(page.locator("#bars .best .label")).to_have_text("Style 40")
        station.outcome, station.fields = lambda when: (None, "silence"), {"genres": []}
        expect(page.locator("#genre")).to_have_text("Silence")
        expect(page.locator("#bars .number")).to_have_text(["–"] * 10)
        page.get_by_role("button", name="Style 7 ").press("Enter")
        expect(page.locator("#chart rect:not(.dim)")).to_have_count(1)
