"""What `stream` shows on a terminal: a bar a genre, the verdict in words, level and health. 40 x 15 are enough."""

import time
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from genre_edge.audio.level_meter import LevelMeter
from genre_edge.classify.verdict import Verdict
from genre_edge.cli.terminal.screen import LogKeeper
from genre_edge.output.text import one_line, printable
from genre_edge.system.process import CpuMeter

STALLED_S = 3.0  # without samples for so long, that is the news
QUIET_DB = -60.0  # where the level's bar begins
_REASONS = {
    "silence": "silence",
    "not_music": "not music",
    "low_confidence": "low confidence",
    "too_short": "too short to tell",
}
# One hue, and a sign for what is chosen: the same for all eyes, and legible without colour.
_PLAIN, _BOLD, _DIM, _BAR = Style.null(), Style(bold=True), Style(dim=True), Style(color="cyan")
_LEVEL = "level"
_MARK_CELLS = 2  # left of a name
_VALUE_CELLS = 7  # right of a bar, as in " -12 dB"
_ONE_LINE_CELLS = 60  # enough for all of the health with many digits


class LiveView:
    """A picture of the moment, drawn anew by rich as often as it is asked; `verdict` is set when there is a new one.

    Args:
        source: name of what is listened to; nobody need have checked it.
        meter: what has gone by.
        labels: the genres, in the order of the bars: bars that change places are hard to read.
        model: its name and version.
        log: says why nothing can be heard.
        top: how many genres to show; None means all. No more than there is room for.
    """

    def __init__(
        self, source: str, meter: LevelMeter, labels: Sequence[str], model: str, log: LogKeeper, top: int | None = None
    ) -> None:
        self._source, self._meter, self._labels, self._model, self._log = source, meter, list(labels), model, log
        self._top = top or len(self._labels)
        self._cpu = CpuMeter()
        self.verdict: Verdict | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        stalled_s = time.monotonic() - self._meter.last_sample_s
        stalled = stalled_s >= STALLED_S
        health = self._health(options.max_width)
        room = max(1, options.max_height - len(health) - 3)
        genres = self._shown(min(room, self._top))
        gap = [Segment.line()] if room >= len(genres) + 3 else []

        yield from _line(f"[{printable(self._model)}] {printable(self._source)}", _DIM, options)
        yield from gap
        yield from _line(self._stall(stalled_s) if stalled else self._answer(), _BOLD, options)
        yield from gap
        for genre in genres:
            yield from self._genre(genre, options)
        yield from gap
        yield from self._level(stalled, options)
        for text in health:
            yield from _line(text, _PLAIN, options)

    def _stall(self, stalled_s: float) -> str:
        """Why there is nothing to be heard."""
        if self._log.records and self._log.last_s > self._meter.last_sample_s:
            return one_line(self._log.records[-1].getMessage())
        return f"no samples for {stalled_s:.0f} s"

    def _answer(self) -> str:
        return "listening ..." if self.verdict is None else in_words(self.verdict)

    def _shown(self, n: int) -> list[str]:
        """The `n` most probable genres, in the order of the labels."""
        if self.verdict is None or not self.verdict.genres or n >= len(self._labels):
            return self._labels[:n]
        likely = {share.genre for share in self.verdict.genres[:n]}
        return [label for label in self._labels if label in likely]

    def _genre(self, genre: str, options: ConsoleOptions) -> RenderResult:
        found = self.verdict.genres if self.verdict else []
        share = next((g.probability for g in found if g.genre == genre), None)
        best = self.verdict is not None and self.verdict.genre == genre
        return self._bar(genre, share or 0.0, "-" if share is None else f"{share:.0%}", options, best)

    def _level(self, stalled: bool, options: ConsoleOptions) -> RenderResult:
        level_db = self._meter.level_db
        if stalled or level_db <= QUIET_DB:
            return self._bar(_LEVEL, 0.0, "-" if stalled else "quiet", options)
        return self._bar(_LEVEL, 1 - level_db / QUIET_DB, f"{level_db:.0f} dB", options)

    def _bar(self, name: str, share: float, value: str, options: ConsoleOptions, best: bool = False) -> RenderResult:
        """One line: a mark, the name, a bar from 0 to 1, and what it says in figures."""
        longest = max(map(cell_len, [_LEVEL, *self._labels]))
        names = min(longest, max(len(_LEVEL), options.max_width // 3))
        cells = max(0, options.max_width - _MARK_CELLS - names - 1 - _VALUE_CELLS)
        style = _BOLD if best else _PLAIN
        yield Segment(("> " if best else "  ") + _cut(name, names, options) + " ", style)
        yield Segment(set_cell_size(_blocks(min(1.0, share), cells, options.ascii_only), cells), _BAR)
        yield Segment(f"{value:>{_VALUE_CELLS}}", style)
        yield Segment.line()

    def _health(self, width: int) -> list[str]:
        """Position, losses, lag and load, in one line or two."""
        lag_ms = self.verdict.lag_ms if self.verdict else None
        position = f"{hours(self._meter.end_s)}  dropped {self._meter.dropped_samples}"
        load = f"lag {'-' if lag_ms is None else f'{lag_ms:.0f} ms'}  CPU {self._cpu.percent():.1f}%"
        return [f"{position}  {load}"] if width >= _ONE_LINE_CELLS else [position, load]


def _line(text: str, style: Style, options: ConsoleOptions) -> RenderResult:
    yield Segment(_cut(text, options.max_width, options), style)
    yield Segment.line()


def _cut(text: str, cells: int, options: ConsoleOptions) -> str:
    """Exactly so many cells wide, in letters that the terminal knows."""
    cut = Text(text.encode(options.encoding, "replace").decode(options.encoding))
    cut.truncate(cells, overflow="crop" if options.ascii_only else "ellipsis", pad=True)
    return cut.plain


def _blocks(share: float, cells: int, ascii_only: bool) -> str:
    """A bar in steps of half a cell, of blocks that the fonts of all consoles have."""
    halves = round(2 * share * cells)
    return "#" * (halves // 2) if ascii_only else "█" * (halves // 2) + "▌" * (halves % 2)


def in_words(verdict: Verdict) -> str:
    """A verdict, or the reason for none, and the time that it is about."""
    heard_s = verdict.end_s - verdict.start_s
    if verdict.reason is not None:
        return f"{_REASONS[verdict.reason]} (last {heard_s:.0f} s)"
    return f"{verdict.genre} {verdict.confidence:.0%} (last {heard_s:.0f} s)"


def hours(seconds: float) -> str:
    """As h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
