"""The live view of `genre-edge stream`: content, terminal sizes, control characters in names and accessibility."""

import io
import logging
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from genre_edge.audio.block import Block
from genre_edge.classify.verdict import Reason, StyleProbability
from genre_edge.cli.terminal.live_view import STALLED_S, LiveView, format_duration, format_shares, format_verdict
from genre_edge.cli.terminal.screen import RecentLogHandler, alternate_screen
from tests.helpers.audio import tone
from tests.helpers.view import GTZAN, PROBABILITIES, RATE, console, meter, render, row, verdict, view

SIZES = [(40, 15), (120, 40)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_view_content(width: int, height: int) -> None:
    """The view has source, verdict, all genres, level and status."""
    live_view = view(level=meter(2, 1.0, position=(3600 + 62) * RATE, dropped=4410))
    live_view.verdict = verdict(PROBABILITIES)
    lines = render(live_view, width, height)
    assert lines[0].split() == ["[edge", "2]", "radio"]
    assert "jazz 82% (last 10 s)" in [line.strip() for line in lines]
    assert [line.split()[-1] for line in (row(lines, genre) for genre in GTZAN)] == [
        "82%" if genre == "jazz" else "2%" for genre in GTZAN
    ]
    assert row(lines, "level").endswith(" -3 dB")
    text = " ".join(" ".join(lines).split())
    assert "1:01:04 dropped 4410 lag 12 ms CPU 0.0%" in text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_view_bars(width: int, height: int) -> None:
    """Bars are proportional to the probabilities, in the order of the labels."""
    live_view = view()
    live_view.verdict = verdict(dict.fromkeys(GTZAN, 0.0) | {"blues": 1.0, "metal": 0.5, "rock": 0.25})
    lines = render(live_view, width, height)
    assert genres_of(lines) == GTZAN
    cells = {name: row(lines, name).count("█") + row(lines, name).count("▌") / 2 for name in GTZAN}
    assert cells["blues"] == len(row(lines, "blues")) - 2 - len("classical") - 1 - 7
    for genre in GTZAN:
        assert cells[genre] == pytest.approx(
            cells["blues"] * {"blues": 1, "metal": 0.5, "rock": 0.25}.get(genre, 0), abs=0.25
        )


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("silence", "silence"),
        ("not_music", "not music"),
        ("low_confidence", "low confidence"),
        ("too_short", "too short to classify"),
    ],
)
def test_view_reason(reason: Reason, text: str) -> None:
    """Without a genre, the view shows the reason and marks no genre."""
    live_view = view()
    live_view.verdict = verdict({} if reason in ("silence", "too_short") else PROBABILITIES, reason)
    lines = render(live_view, *SIZES[0])
    assert lines[1].strip() == f"{text} (last 10 s)"
    assert not any(line.startswith(">") for line in lines)
    assert row(lines, "jazz").endswith(" -" if reason in ("silence", "too_short") else " 82%")


SHARES = [
    ((0.62, 0.3, 0.08), "music 62%, other sounds 30%, silence 8%"),
    ((0.62, 0.38, 0.0), "music 62%, other sounds 38%"),
    ((0.0, 0.5, 0.5), "other sounds 50%, silence 50%"),
    ((1.0, 0.0, 0.0), ""),
    ((None, None, None), ""),
]


@pytest.mark.parametrize(("shares", "text"), SHARES)
def test_view_shares(shares: tuple[float | None, ...], text: str) -> None:
    """Below the headline, the view says what the audio consists of if that is not music alone."""
    live_view = view()
    live_view.verdict = replace(
        verdict(PROBABILITIES), **dict(zip(["music_share", "not_music_share", "silence_share"], shares, strict=True))
    )
    assert format_shares(live_view.verdict) == text and len(text) <= 40
    lines = render(live_view)
    headline = [line.strip() for line in lines].index("jazz 82% (last 10 s)")
    assert lines[headline + 1].strip() == text
    assert len(render(live_view, *SIZES[0])) <= SIZES[0][1]


def test_view_best_genre_mark() -> None:
    """The best genre has a mark, not only a style."""
    live_view = view()
    live_view.verdict = verdict(PROBABILITIES)
    assert [line.split()[1] for line in render(live_view) if line.startswith(">")] == ["jazz"]


def test_view_before_first_verdict() -> None:
    """Before the first verdict, the genres are listed without values."""
    lines = render(view(), *SIZES[0])
    assert lines[1].strip() == "waiting for the first verdict"
    assert all(row(lines, genre).endswith(" -") and "█" not in row(lines, genre) for genre in GTZAN)
    assert "lag -" in lines[-1]


def genres_of(lines: list[str]) -> list[str]:
    return [match[1] for line in lines if (match := re.match(r"[> ] (\w+) ", line)) and match[1] != "level"]


def test_view_few_rows() -> None:
    """With few rows, only the most probable genres are shown."""
    live_view = view()
    live_view.verdict = verdict(dict(zip(GTZAN, np.linspace(0.1, 0.9, 10).tolist(), strict=True)))
    assert genres_of(render(live_view, 40, 8)) == GTZAN[-3:]
    assert genres_of(render(live_view, 40, 1000)) == GTZAN


def test_view_top() -> None:
    """`top` limits the genres to the most probable ones."""
    live_view = view(top=2)
    assert genres_of(render(live_view)) == GTZAN[:2]  # before the first verdict
    live_view.verdict = verdict(PROBABILITIES | {"blues": 0.1})
    assert genres_of(render(live_view)) == ["blues", "jazz"]


@pytest.mark.parametrize("width", [1, *range(8, 60, 7)])
@pytest.mark.parametrize("height", [1, 3, 9, 20])
def test_view_tiny_terminal(width: int, height: int) -> None:
    """In a terminal that is too small for the view, no line is wider than the terminal, or than one character."""
    live_view = view("名前" * 30)
    live_view.verdict = verdict(PROBABILITIES)
    with alternate_screen(live_view, console(width, height), RecentLogHandler()):
        pass
    terminal = console(width, height)
    terminal.print(live_view, end="")
    lines = terminal.export_text().splitlines()
    assert lines and max(map(cell_len, lines)) <= max(width, 2)  # a wide character has two cells


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
def test_view_source_name_control_characters(name: str) -> None:
    """Escape sequences and markup in a source's name are shown as text, on one line."""
    terminal = console(40, 15)
    live_view = view(name)
    live_view.verdict = verdict(PROBABILITIES)
    terminal.print(live_view, end="")
    assert isinstance(terminal.file, io.StringIO)
    written = terminal.file.getvalue()
    assert set(re.findall(r"\x1b[^a-zA-Z]*[a-zA-Z]", written)) <= {"\x1b[1m", "\x1b[2m", "\x1b[0m", "\x1b[36m"}
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert all(c.isprintable() or c == "\n" for c in plain)
    lines = plain.splitlines()
    assert len(lines) == 15 and lines[1].strip() == "jazz 82% (last 10 s)"
    if name.startswith("["):
        assert name[:20] in lines[0]


def test_view_log_message_control_characters() -> None:
    """Escape sequences and markup in a log message are shown as text."""
    log_handler, level = RecentLogHandler(), meter()
    level.last_sample_s -= STALLED_S
    log_handler.handle(logging.makeLogRecord({"msg": "%s lost", "args": ("[red]\x1b[2J",), "levelno": logging.WARNING}))
    lines = render(LiveView("x", level, GTZAN, "edge 2", log_handler))
    assert "[red]\N{REPLACEMENT CHARACTER}[2J lost" in [line.strip() for line in lines]


def test_view_stall() -> None:
    """A stall is reported until samples arrive again."""
    level = meter()
    live_view = view(level=level)
    live_view.verdict = verdict(PROBABILITIES)
    level.last_sample_s -= 100
    lines = render(live_view)
    assert any(re.match(r"no samples for 10\d s", line) for line in lines)
    assert row(lines, "level").endswith(" -")
    level(Block(tone(441, 1, RATE), RATE, RATE))
    assert any(line.startswith("jazz 82%") for line in render(live_view))


def test_view_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR removes the colours and nothing else."""
    live_view = view()
    live_view.verdict = verdict(PROBABILITIES)
    plain = console(_environ={"NO_COLOR": "1"})
    plain.print(live_view, end="")
    assert isinstance(plain.file, io.StringIO)
    written = plain.file.getvalue()
    assert set(re.findall(r"\x1b\[[0-9;]*m", written)) == {"\x1b[0m", "\x1b[1m", "\x1b[2m"}  # bold, dim: no colour
    assert [line.rstrip() for line in plain.export_text().splitlines()] == [line.rstrip() for line in render(live_view)]


def test_view_encoding_without_unicode() -> None:
    """A terminal without Unicode gets ASCII bars and question marks."""
    live_view = view("Größe 名前 " * 9)
    live_view.verdict = verdict(PROBABILITIES)
    file = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    Console(file=file, width=40, height=15, force_terminal=True, _environ={}).print(live_view, end="")
    file.flush()
    written = file.buffer.getvalue().decode("latin-1")  # type: ignore[attr-defined]
    assert "Größe ??" in written and "################" in written


def test_format_duration_and_verdict() -> None:
    """Durations are H:MM:SS; a verdict has genre, probability and duration."""
    assert [format_duration(s) for s in (0, 59.99, 61, 3600, 360_000)] == [
        "0:00:00",
        "0:00:59",
        "0:01:01",
        "1:00:00",
        "100:00:00",
    ]
    assert format_verdict(verdict(PROBABILITIES)) == "jazz 82% (last 10 s)"


STYLED = replace(
    verdict(PROBABILITIES), styles=[StyleProbability(name, None, 0.5) for name in ("swing", "jazz", "blues")]
)


def test_format_verdict_styles_and_sound() -> None:
    """A verdict has its styles after the genre, or the sound that is no music."""
    assert format_verdict(STYLED) == "jazz 82% · swing, blues (last 10 s)"
    not_music = verdict(PROBABILITIES, "not_music")
    assert format_verdict(replace(not_music, sound="speech")) == "not music: speech (last 10 s)"
    assert format_verdict(replace(verdict({}, "silence"), sound="silence")) == "silence (last 10 s)"


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (35, "jazz 82% · swing, blues (last 10 s)"),
        (34, "jazz 82% · swing (last 10 s)"),
        (28, "jazz 82% · swing (last 10 s)"),
        (27, "jazz 82% (last 10 s)"),
    ],
)
def test_view_styles_fit_width(width: int, text: str) -> None:
    """The view shows as many styles as fit the terminal."""
    live_view = view()
    live_view.verdict = STYLED
    assert text in [line.strip() for line in render(live_view, width, 20)]


def test_view_styles_without_unicode() -> None:
    """A terminal without Unicode gets a hyphen before the styles."""
    live_view = view()
    live_view.verdict = STYLED
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=file, width=40, height=15, force_terminal=True, _environ={}).print(live_view, end="")
    file.flush()
    assert b"jazz 82% - swing, blues (last 10 s)" in file.buffer.getvalue()  # type: ignore[attr-defined]
