"""`stream` on a terminal: moving bars of all genres, the verdict in words, level and health. Usable from 40 x 15 on."""

import logging
import signal
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from genre_edge.audio.meter import Metered
from genre_edge.render import printable
from genre_edge.verdict import Segment as Stretch
from genre_edge.verdict import Verdict

REFRESHES_PER_S = 4
STALLED_S = 3.0  # without samples for so long, that is the news
QUIET_DB = -60.0  # where the level's bar begins
_CPU_OVER_S = 2.0
_REASONS = {
    "silence": "silence",
    "not_music": "not music",
    "low_confidence": "low confidence",
    "too_short": "too short to tell",
}
# One hue, told apart by lightness and signs: the same for all eyes, and legible without colour.
_BAR, _TRACK, _BEST, _DIM = "cyan", "grey23", Style(bold=True), Style(dim=True)
_VALUE_CELLS = 7  # of what stands right of a bar, as " -12 dB"


class CpuShare:
    """How much of one core this process takes, in percent over the last seconds."""

    def __init__(self) -> None:
        self._percent, self._clock_s, self._cpu_s = 0.0, time.monotonic(), time.process_time()

    def percent(self) -> float:
        elapsed_s = time.monotonic() - self._clock_s
        if elapsed_s >= _CPU_OVER_S:
            cpu_s = time.process_time()
            self._percent = 100 * (cpu_s - self._cpu_s) / elapsed_s
            self._clock_s, self._cpu_s = self._clock_s + elapsed_s, cpu_s
        return self._percent


class LogKeeper(logging.Handler):
    """Keeps the last lines of the log while the screen is in use."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: deque[logging.LogRecord] = deque(maxlen=50)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class LiveView:
    """What the terminal shows now; its `verdict` is set whenever there is a new one.

    Args:
        source: what is listened to.
        labels: the genres, in the order of the bars: bars that change places are hard to read.
        model: the model's name and version.
        top: how many genres to show; None means all that there is room for.
    """

    def __init__(self, source: Metered, labels: Sequence[str], model: str, top: int | None = None) -> None:
        self._source, self._labels, self._model, self._top = source, labels, model, top
        self._cpu = CpuShare()
        self.log = LogKeeper()
        self.verdict: Verdict | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.max_height
        health = self._health(width)
        airy = height >= len(self._labels) + len(health) + 6  # room for empty lines between the parts
        gap = [Segment.line()] if airy else []
        yield from self._text(f"{printable(self._source.name)}  [{printable(self._model)}]", _DIM, width)
        yield from gap
        yield from self._text(self._news(), _BEST, width)
        yield from gap
        yield from self._genres(console, options, max(1, height - len(health) - 3))
        yield from gap
        yield from self._level(console, options)
        for line in health:
            yield from self._text(line, Style.null(), width)

    def _text(self, line: str, style: Style, width: int) -> RenderResult:
        text = Text(line, end="")
        text.truncate(width, overflow="ellipsis")
        yield Segment(text.plain, style)
        yield Segment.line()

    def _news(self) -> str:
        """The verdict, or why there is none."""
        stalled_s = time.monotonic() - self._source.heard_s
        if stalled_s >= STALLED_S:
            records = self.log.records
            told = records[-1].getMessage() if records else f"no samples for {stalled_s:.0f} s"
            return printable(told)
        return "listening ..." if self.verdict is None else in_words(self.verdict)

    def _genres(self, console: Console, options: ConsoleOptions, room: int) -> RenderResult:
        """A line a genre; where there are more than fit, the most probable ones."""
        ranked = self.verdict.genres if self.verdict else []
        shares = {g.genre: g.probability for g in ranked}
        n = min(room, self._top or room)
        shown = list(self._labels) if n >= len(self._labels) else [g.genre for g in ranked[:n]] or self._labels[:n]
        best = self.verdict.genre if self.verdict else None
        for genre in sorted(shown, key=self._labels.index):
            share = shares.get(genre)
            value = "-" if share is None else f"{share:.0%}"
            yield from self._bar(console, options, genre, share or 0.0, value, genre == best)

    def _level(self, console: Console, options: ConsoleOptions) -> RenderResult:
        level_db = self._source.level_db
        value = f"{level_db:.0f} dB" if level_db > QUIET_DB else "quiet"
        yield from self._bar(console, options, "level", 1 - max(level_db, QUIET_DB) / QUIET_DB, value, False)

    def _bar(
        self, console: Console, options: ConsoleOptions, name: str, share: float, value: str, best: bool
    ) -> RenderResult:
        """One line: mark and name, a bar of 0 to 1, what it says in figures."""
        names = max(cell_len("level"), *map(cell_len, self._labels))
        names = min(names, max(5, options.max_width // 3))
        text = Text(f"{'>' if best else ' '} {name}", end="")
        text.truncate(names + 2, overflow="ellipsis", pad=True)
        style = _BEST if best else Style.null()
        cells = max(1, options.max_width - names - 2 - 1 - _VALUE_CELLS)
        bar = ProgressBar(1.0, min(1.0, share), cells, style=_TRACK, complete_style=_BAR, finished_style=_BAR)
        yield Segment(text.plain + " ", style)
        drawn = list(console.render(bar, options))
        yield from drawn
        yield Segment(" " * (cells - sum(part.cell_length for part in drawn)))
        yield Segment(f"{value:>{_VALUE_CELLS}}", style)
        yield Segment.line()

    def _health(self, width: int) -> list[str]:
        """Position, losses, lag and load, in as many lines as they need."""
        source = self._source
        lag_ms = self.verdict.lag_ms if self.verdict else None
        position = f"{hours(source.end_s)}  dropped {source.dropped_samples}"
        load = f"lag {'-' if lag_ms is None else f'{lag_ms:.0f} ms'}  CPU {self._cpu.percent():.1f}%"
        line = f"{position}  {load}"
        return [line] if cell_len(line) <= width else [position, load]


def in_words(stretch: Stretch) -> str:
    """A verdict in one line, with the time that it is about."""
    if stretch.reason is not None or stretch.confidence is None:
        answer = _REASONS[stretch.reason or "too_short"]
    else:
        answer = f"{printable(stretch.genre or '')} {stretch.confidence:.0%}"
    return f"{answer}, last {stretch.end_s - stretch.start_s:.0f} s"


def hours(seconds: float) -> str:
    """h:mm:ss"""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def shows_pictures(console: Console) -> bool:
    """Whether it is a terminal whose cursor can be moved."""
    return console.is_terminal and not console.is_dumb_terminal


@contextmanager
def on_screen(view: LiveView, console: Console) -> Iterator[None]:
    """Show the view on a screen of its own until the end, whatever the end is; then the terminal is as it was.

    It is drawn by a thread, so a terminal that is slow keeps no sound waiting. What is logged meanwhile follows at the
    end, where standard error is a terminal too.
    """
    live = Live(get_renderable=lambda: view, console=console, screen=True, refresh_per_second=REFRESHES_PER_S)
    with _log_kept(view.log):
        try:
            live.start(refresh=True)
            yield
        finally:
            with _undisturbed():
                live.stop()


@contextmanager
def _log_kept(keeper: LogKeeper) -> Iterator[None]:
    log = logging.getLogger("genre_edge")
    held = sys.stderr.isatty()
    log.addHandler(keeper)
    log.propagate = not held
    try:
        yield
    finally:
        log.removeHandler(keeper)
        log.propagate = True
        for record in keeper.records if held else ():
            log.handle(record)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal may end us halfway; a second Ctrl-C would."""
    numbers = signal.SIGINT, signal.SIGTERM
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
