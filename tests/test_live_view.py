"""The live view of `genre-edge stream`: what it says at any size, and a real terminal that is left as it was."""

import fcntl
import io
import logging
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from audio_helpers import tone
from rich.cells import cell_len
from rich.console import Console

from genre_edge.audio.block import Block
from genre_edge.audio.meter import AVERAGING_S, FLOOR_DB, Meter
from genre_edge.cli.live_view import STALLED_S, LiveView, hours, in_words
from genre_edge.cli.screen import LogKeeper, can_move, on_screen
from genre_edge.verdict import GenreProbability, InputInfo, ModelInfo, Reason, Verdict

GTZAN = ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"]
SIZES = [(40, 15), (120, 40)]
RATE = 22050


def verdict(shares: dict[str, float], reason: Reason | None = None, lag_ms: float = 12.3) -> Verdict:
    ranked = [GenreProbability(*item) for item in sorted(shares.items(), key=lambda item: -item[1])]
    best = ranked[0] if ranked else None
    return Verdict(
        start_s=10.0,
        end_s=20.0,
        genre=best.genre if best and reason is None else None,
        confidence=best.probability if best else None,
        reason=reason,
        genres=ranked,
        source="radio",
        input=InputInfo(44100, 2, RATE),
        model=ModelInfo("edge", "2", "0" * 64),
        lag_ms=lag_ms,
    )


def meter(seconds: float = 1.0, amplitude: float = 1.0, position: int = 0, dropped: int = 0) -> Meter:
    """A meter that a tone went by."""
    found = Meter()
    found(Block(tone(441, seconds, RATE, amplitude), RATE, position, dropped))
    return found


def view(
    source: str = "radio", heard: Meter | None = None, labels: list[str] = GTZAN, top: int | None = None
) -> LiveView:
    return LiveView(source, heard or meter(), labels, "edge 2", LogKeeper(), top)


def console(width: int = 80, height: int = 24, **options: object) -> Console:
    """A terminal of that size that can be read afterwards, whatever the environment says."""
    given: dict[str, object] = {"force_terminal": True, "color_system": "standard", "_environ": {}} | options
    return Console(width=width, height=height, record=True, file=io.StringIO(), **given)  # type: ignore[arg-type]


def drawn(picture: LiveView, width: int = 80, height: int = 24) -> list[str]:
    terminal = console(width, height)
    terminal.print(picture, end="")
    lines = terminal.export_text().splitlines()
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    return lines


def row(lines: list[str], name: str) -> str:
    (found,) = (line for line in lines if re.match(rf"[> ] {name} ", line))
    return found


SHARES = {genre: 0.02 for genre in GTZAN} | {"jazz": 0.82}


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
    heard.heard_s -= STALLED_S
    keeper.handle(logging.makeLogRecord({"msg": "%s gone", "args": ("[red]\x1b[2J",), "levelno": logging.WARNING}))
    lines = drawn(LiveView("x", heard, GTZAN, "edge 2", keeper))
    assert "[red]\N{REPLACEMENT CHARACTER}[2J gone" in [line.strip() for line in lines]


def test_a_stall_is_told_and_ends() -> None:
    heard = meter()
    picture = view(heard=heard)
    picture.verdict = verdict(SHARES)
    heard.heard_s -= 100
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


# -- level -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amplitude", "level_db"), [(1.0, -3.01), (0.1, -23.01), (0.001, -63.01)])
@pytest.mark.parametrize("size", [100, 2205, 22050])
def test_the_level_is_that_of_the_samples_however_they_are_cut(amplitude: float, level_db: float, size: int) -> None:
    found, samples = Meter(), tone(441, 4, RATE, amplitude)
    for i in range(0, len(samples), size):
        found(Block(samples[i : i + size], RATE, i))
    assert found.level_db == pytest.approx(level_db, abs=0.2)
    assert found.end_s == 4


def test_the_level_falls_within_a_second() -> None:
    found = meter(4, 1.0)
    for i in range(10):
        found(Block(np.zeros(2205, np.float32), RATE, 4 * RATE + i * 2205))
    assert found.level_db == pytest.approx(-3 + 10 * np.log10(np.exp(-1 / AVERAGING_S)), abs=0.1)


def test_silence_and_nothing_have_a_level() -> None:
    found = Meter()
    assert (found.level_db, found.end_s) == (FLOOR_DB, 0.0)
    found(Block(np.zeros(100, np.float32), RATE, 0))
    found(Block(np.empty(0, np.float32), RATE, 300, dropped=200))
    assert (found.level_db, found.dropped_samples, found.end_s) == (FLOOR_DB, 200, 300 / RATE)


def test_times_and_words() -> None:
    assert [hours(s) for s in (0, 59.99, 61, 3600, 360_000)] == [
        "0:00:00",
        "0:00:59",
        "0:01:01",
        "1:00:00",
        "100:00:00",
    ]
    assert in_words(verdict(SHARES)) == "jazz 82% (last 10 s)"


# -- a real terminal -------------------------------------------------------------------------------------------------

ALT_ON, ALT_OFF, HIDE, SHOW, HOME = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25l", b"\x1b[?25h", b"\x1b[H"


class Terminal:
    """`genre-edge stream` with its output on a pseudo-terminal and its sound from a pipe."""

    def __init__(self, *arguments: str, columns: int = 40, rows: int = 15, **environment: str) -> None:
        self._main, self._other = pty.openpty()
        fcntl.ioctl(self._other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self._other)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "genre_edge", "stream", "-", "--raw", "f32le:22050:1", *arguments],
            stdin=subprocess.PIPE,
            stdout=self._other,
            stderr=self._other,
            env={k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
            | {"TERM": "xterm-256color"}
            | environment,
        )
        self.output = b""

    def hear(self, samples: np.ndarray) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(samples.astype("<f4").tobytes())
        self.process.stdin.flush()

    def read_until(self, wanted: Callable[[], bool], limit_s: float = 60) -> None:
        end_s = time.monotonic() + limit_s
        while not wanted():
            assert time.monotonic() < end_s, self.output
            if select.select([self._main], [], [], 0.2)[0]:
                self.output += os.read(self._main, 65536)
            elif self.process.poll() is not None and not select.select([self._main], [], [], 0)[0]:
                assert wanted(), self.output
                return

    def play(self, samples: np.ndarray) -> None:
        """As a radio does: sample by sample, in a thread."""

        def feed() -> None:
            with suppress(OSError, ValueError):  # the listener has gone
                for i in range(0, len(samples), RATE // 10):
                    self.hear(samples[i : i + RATE // 10])
                    time.sleep(0.1)

        threading.Thread(target=feed, daemon=True).start()

    def screen(self) -> list[str]:
        """The last whole picture; each one begins at home and fills the screen."""
        pictures = self.output.split(HOME)[1:-1] or [b"\n" * 14]
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", pictures[-1].decode()).splitlines()

    def end(self) -> int:
        """Wait, read the rest, and see that the terminal is as it was."""
        self.read_until(lambda: self.process.poll() is not None and not select.select([self._main], [], [], 0.1)[0])
        assert termios.tcgetattr(self._other) == self.before
        assert self.output.count(ALT_ON) == self.output.count(ALT_OFF) == 1
        assert self.output.index(ALT_OFF) > self.output.index(ALT_ON)
        assert self.output.rindex(SHOW) > self.output.rindex(HIDE)
        assert b"Traceback" not in self.output
        return self.process.wait(10)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._main)
        os.close(self._other)


Start = Callable[..., Terminal]


@pytest.fixture
def start() -> Iterator[Start]:
    """Terminals that end with the test."""
    begun: list[Terminal] = []

    def begin(*arguments: str, **options: object) -> Terminal:
        begun.append(Terminal(*arguments, **options))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for terminal in begun:
        terminal.close()


def after(terminal: Terminal) -> str:
    """What is left on the terminal."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.output.split(ALT_OFF)[1].decode()).replace("\r", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_song_on_a_terminal_until_a_signal(start: Start, song_samples: np.ndarray, number: signal.Signals) -> None:
    terminal = start()
    terminal.hear(song_samples[: 12 * RATE])
    terminal.play(song_samples[12 * RATE :])
    terminal.read_until(lambda: any("0:00:13" in line for line in terminal.screen()))
    shown = terminal.screen()
    assert len(shown) == 15
    assert shown[0].split() == ["[edge", "2]", "standard", "input"]
    assert re.match(r"classical \d\d% \(last \d+ s\)", shown[1])
    assert row(shown, "classical").startswith("> ") and row(shown, "classical").count("█") > 10
    assert re.search(r"-\d+ dB", row(shown, "level"))
    assert "dropped 0" in shown[13] and re.search(r"lag \d+ ms  CPU \d+\.\d%", shown[14])
    terminal.process.send_signal(number)
    assert terminal.end() == 0
    assert re.fullmatch(r"0:00:\d\d  classical \d\d% \(last \d+ s\)\n", after(terminal))


def test_the_terminal_is_restored_at_whatever_moment_the_signals_come(start: Start, song_samples: np.ndarray) -> None:
    """Two of them, a moment apart, as from an impatient hand."""
    rng = np.random.default_rng(6)
    for _ in range(4):
        terminal = start("--interval", "0.1")
        terminal.hear(song_samples[: 2 * RATE])
        terminal.read_until(lambda: ALT_ON in terminal.output)  # noqa: B023
        time.sleep(rng.uniform(0, 0.3))
        terminal.process.send_signal(signal.SIGINT)
        time.sleep(rng.uniform(0, 0.02))
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() in (0, 130, -signal.SIGTERM)


def test_the_end_of_the_sound_leaves_the_last_answer(start: Start, song_samples: np.ndarray) -> None:
    terminal = start(columns=100, rows=30)
    terminal.hear(song_samples)
    assert terminal.process.stdin is not None
    terminal.process.stdin.close()
    assert terminal.end() == 0
    assert re.fullmatch(r"0:00:3\d  classical 9\d% \(last \d+ s\)\n", after(terminal))


def test_an_error_is_told_after_the_screen_is_given_back(start: Start, song_samples: np.ndarray) -> None:
    terminal = start()
    terminal.hear(song_samples[: 5 * RATE])
    terminal.hear(np.array([np.nan]))
    assert terminal.process.stdin is not None
    terminal.process.stdin.close()
    assert terminal.end() == 1
    assert after(terminal).splitlines()[-1] == f"genre-edge: -: sample {5 * RATE} is nan, not a sound"


def test_what_is_logged_meanwhile_follows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    log, keeper = logging.getLogger("genre_edge"), LogKeeper()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with on_screen(view(), console(), keeper):
        for i in range(100):
            log.warning("line %d", i)
        assert not caplog.records
    assert [record.getMessage() for record in caplog.records] == [f"line {i}" for i in range(50, 100)]
    caplog.clear()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with on_screen(view(), console(), LogKeeper()):
        log.warning("at once")
        assert len(caplog.records) == 1
    assert len(caplog.records) == 1 and log.propagate and keeper not in log.handlers


# -- which of the two ------------------------------------------------------------------------------------------------


def test_json_lines_on_a_terminal_if_wanted(start: Start, song_samples: np.ndarray) -> None:
    for arguments, environment in ((("--format", "jsonl"), {}), ((), {"TERM": "dumb"})):
        terminal = start(*arguments, **environment)
        terminal.hear(song_samples[: 7 * RATE])
        assert terminal.process.stdin is not None
        terminal.process.stdin.close()
        terminal.read_until(lambda: terminal.process.poll() is not None)  # noqa: B023
        assert terminal.output.startswith(b'{"schema_version": 1') and b"\x1b" not in terminal.output


def test_a_live_view_needs_a_terminal(cli: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    done = cli("stream", "-", "--format", "live")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "genre-edge: --format live needs a terminal on standard output, one whose cursor can be moved\n"
    )
    assert not can_move(Console(file=io.StringIO(), _environ={}))
    assert not can_move(console(_environ={"TERM": "dumb"}))


def test_a_pipe_gets_the_same_lines_with_and_without_being_asked(
    cli: Callable[..., "subprocess.CompletedProcess[str]"], song_wav: Path
) -> None:
    def lines(*arguments: str) -> list[str]:
        done = cli("stream", "-", *arguments, input=song_wav.read_bytes())
        return [re.sub(r', "lag_ms": [\d.]+', "", line) for line in done.stdout.splitlines()]

    assert lines() == lines("--format", "jsonl")
    assert len(lines()) >= 4
