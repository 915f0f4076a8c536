"""The live view of `genre-edge stream`: what it says, at any size and to all eyes."""

import io
import logging
import re

import numpy as np
import pytest
from rich.console import Console

from genre_edge.audio.block import Block
from genre_edge.classify.verdict import Reason
from genre_edge.cli.terminal.live_view import STALLED_S, LiveView, hours, in_words
from genre_edge.cli.terminal.screen import LogKeeper, on_screen
from tests.helpers.audio import tone
from tests.helpers.view import GTZAN, RATE, SHARES, console, drawn, meter, row, verdict, view

SIZES = [(40, 15), (120, 40)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_all_is_there(width: int, height: int) -> None:
    picture = view(heard=meter(2, 1.0, position=(3600 + 62) * RATE, dropped=4410))
    picture.verdict = verdict(SHARES)
    lines = drawn(picture, width, height)
    assert lines[0].split() == ["[edge", "2]", "radio"]
    assert "jazz 82% (last 10 s)" in [line.strip() for line in lines]
    assert [line.split()[-1] for line in (row(lines, genre) for genre in GTZAN)] == [
        "82%" if genre == "jazz" else "2%" for genre in GTZAN
    ]
    assert row(lines, "level").endswith(" -3 dB")
    text = " ".join(" ".join(lines).split())
    assert "1:01:04 dropped 4410 lag 12 ms CPU 0.0%" in text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_bars_are_as_long_as_the_genres_are_probable_and_do_not_change_places(width: int, height: int) -> None:
    picture = view()
    picture.verdict = verdict(dict.fromkeys(GTZAN, 0.0) | {"blues": 1.0, "metal": 0.5, "rock": 0.25})
    lines = drawn(picture, width, height)
    assert genres_of(lines) == GTZAN
    cells = {name: row(lines, name).count("█") + row(lines, name).count("▌") / 2 for name in GTZAN}
    assert cells["blues"] == len(row(lines, "blues")) - 2 - len("classical") - 1 - 7
    for genre in GTZAN:
        assert cells[genre] == pytest.approx(
            cells["blues"] * {"blues": 1, "metal": 0.5, "rock": 0.25}.get(genre, 0), abs=0.25
        )


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("silence", "silence"),
        ("not_music", "not music"),
        ("low_confidence", "low confidence"),
        ("too_short", "too short to tell"),
    ],
)
def test_no_verdict_is_told_in_words_and_nothing_is_marked(reason: Reason, words: str) -> None:
    picture = view()
    picture.verdict = verdict({} if reason in ("silence", "too_short") else SHARES, reason)
    lines = drawn(picture, *SIZES[0])
    assert lines[1].strip() == f"{words} (last 10 s)"
    assert not any(line.startswith(">") for line in lines)
    assert row(lines, "jazz").endswith(" -" if reason in ("silence", "too_short") else " 82%")


def test_the_best_is_marked_by_a_sign_too() -> None:
    picture = view()
    picture.verdict = verdict(SHARES)
    assert [line.split()[1] for line in drawn(picture) if line.startswith(">")] == ["jazz"]


def test_before_the_first_verdict() -> None:
    lines = drawn(view(), *SIZES[0])
    assert lines[1].strip() == "listening ..."
    assert all(row(lines, genre).endswith(" -") and "█" not in row(lines, genre) for genre in GTZAN)
    assert "lag -" in lines[-1]


def genres_of(lines: list[str]) -> list[str]:
    return [match[1] for line in lines if (match := re.match(r"[> ] (\w+) ", line)) and match[1] != "level"]


def test_where_there_is_no_room_the_most_probable_genres_are_shown() -> None:
    picture = view()
    picture.verdict = verdict(dict(zip(GTZAN, np.linspace(0.1, 0.9, 10).tolist(), strict=True)))
    assert genres_of(drawn(picture, 40, 8)) == GTZAN[-3:]
    assert genres_of(drawn(picture, 40, 1000)) == GTZAN


def test_as_many_genres_as_are_wanted() -> None:
    picture = view(top=2)
    assert genres_of(drawn(picture)) == GTZAN[:2]  # nothing is known yet
    picture.verdict = verdict(SHARES | {"blues": 0.1})
    assert genres_of(drawn(picture)) == ["blues", "jazz"]


@pytest.mark.parametrize("width", range(1, 60, 7))
@pytest.mark.parametrize("height", [1, 3, 9, 20])
def test_no_size_is_too_small_to_be_drawn(width: int, height: int) -> None:
    picture = view("名前" * 30)
    picture.verdict = verdict(SHARES)
    terminal = console(width, height)
    with on_screen(picture, terminal, LogKeeper()):
        pass
    terminal.print(picture)


@pytest.mark.parametrize(
    "name",
    [
        "\x1b]0;owned\x07song\x1b[2J",
        "[bold red]x[/bold red][link=http://a.example]y[/link]",
        "[/nothing]",
        "a\nb\r\n\tc",
        "\u202egpj.exe",
        "\udcff\udc80",
        ":smile:" * 50,
        "長い名前" * 40,
        "",
    ],
)
def test_a_hostile_name_stays_text_in_its_line(name: str) -> None:
    terminal = console(40, 15)
    picture = view(name)
    picture.verdict = verdict(SHARES)
    terminal.print(picture, end="")
    assert isinstance(terminal.file, io.StringIO)
    written = terminal.file.getvalue()
    assert set(re.findall(r"\x1b[^a-zA-Z]*[a-zA-Z]", written)) <= {"\x1b[1m", "\x1b[2m", "\x1b[0m", "\x1b[36m"}
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert all(c.isprintable() or c == "\n" for c in plain)
    lines = plain.splitlines()
    assert len(lines) == 15 and lines[1].strip() == "jazz 82% (last 10 s)"
    if name.startswith("["):
        assert name[:20] in lines[0]


def test_a_hostile_reason_stays_text() -> None:
    keeper, heard = LogKeeper(), meter()
    heard.last_sample_s -= STALLED_S
    keeper.handle(logging.makeLogRecord({"msg": "%s gone", "args": ("[red]\x1b[2J",), "levelno": logging.WARNING}))
    lines = drawn(LiveView("x", heard, GTZAN, "edge 2", keeper))
    assert "[red]\N{REPLACEMENT CHARACTER}[2J gone" in [line.strip() for line in lines]


def test_a_stall_is_told_and_ends() -> None:
    heard = meter()
    picture = view(heard=heard)
    picture.verdict = verdict(SHARES)
    heard.last_sample_s -= 100
    lines = drawn(picture)
    assert any(re.match(r"no samples for 10\d s", line) for line in lines)
    assert row(lines, "level").endswith(" -")
    heard(Block(tone(441, 1, RATE), RATE, RATE))
    assert any(line.startswith("jazz 82%") for line in drawn(picture))


def test_without_colour_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = view()
    picture.verdict = verdict(SHARES)
    plain = console(_environ={"NO_COLOR": "1"})
    plain.print(picture, end="")
    assert isinstance(plain.file, io.StringIO)
    written = plain.file.getvalue()
    assert set(re.findall(r"\x1b\[[0-9;]*m", written)) == {"\x1b[0m", "\x1b[1m", "\x1b[2m"}  # bold, dim: no colour
    assert [line.rstrip() for line in plain.export_text().splitlines()] == [line.rstrip() for line in drawn(picture)]


def test_a_terminal_that_knows_no_unicode_gets_ascii() -> None:
    picture = view("Größe 名前 " * 9)
    picture.verdict = verdict(SHARES)
    file = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    Console(file=file, width=40, height=15, force_terminal=True, _environ={}).print(picture, end="")
    file.flush()
    written = file.buffer.getvalue().decode("latin-1")  # type: ignore[attr-defined]
    assert "Größe ??" in written and "################" in written


def test_times_and_words() -> None:
    assert [hours(s) for s in (0, 59.99, 61, 3600, 360_000)] == [
        "0:00:00",
        "0:00:59",
        "0:01:01",
        "1:00:00",
        "100:00:00",
    ]
    assert in_words(verdict(SHARES)) == "jazz 82% (last 10 s)"
