"""The live view of `stream`: verdict, a probability bar for each genre, level meter and status. Fits 40 x 15 cells."""

import time
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from genre_edge.audio.level_meter import LevelMeter
from genre_edge.classify.verdict import Verdict
from genre_edge.cli.terminal.screen import RecentLogHandler
from genre_edge.output.text import one_line, printable, style_names
from genre_edge.system.process import CpuMeter

STALLED_S = 3.0  # seconds without samples after which the view reports the stall instead of the verdict
MIN_LEVEL_DB = -60.0  # the left end of the level bar
_REASONS = {
    "silence": "silence",
    "not_music": "not music",
    "low_confidence": "low confidence",
    "too_short": "too short to classify",
}
# The chosen genre has a mark and bold letters, so the view is readable without colour.
_PLAIN, _BOLD, _DIM, _BAR = Style.null(), Style(bold=True), Style(dim=True), Style(color="cyan")
_LEVEL = "level"
_DOT = "·"  # before the styles
_MARK_CELLS = 2  # left of a name
_VALUE_CELLS = 7  # right of a bar, as in " -12 dB"
_SINGLE_STATUS_CELLS = 60  # from this width on, the status fits one line


class LiveView:
    """Rich renderable of the current state. Set `verdict` when there is a new one.

    Args:
        source: name of the source; control characters are replaced.
        meter: level, position and dropped samples of the stream.
        labels: the genres. Bars always have this order.
        model: name and version of the model.
        log_handler: its last record explains a stall.
        top: number of genres to show at most; None for all.
    """

    def __init__(
        self,
        source: str,
        meter: LevelMeter,
        labels: Sequence[str],
        model: str,
        log_handler: RecentLogHandler,
        top: int | None = None,
    ) -> None:
        self._source, self._meter, self._labels, self._model = source, meter, list(labels), model
        self._log_handler = log_handler
        self._top = top or len(self._labels)
        self._cpu = CpuMeter()
        self.verdict: Verdict | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        stalled_s = time.monotonic() - self._meter.last_sample_s
        is_stalled = stalled_s >= STALLED_S
        status = self._status(options.max_width)
        max_genres = max(1, options.max_height - len(status) - 3)
        genres = self._visible_genres(min(max_genres, self._top))
        blank = [Segment.line()] if max_genres >= len(genres) + 3 else []

        yield from _text_line(f"[{printable(self._model)}] {printable(self._source)}", _DIM, options)
        yield from blank
        yield from _text_line(self._stall(stalled_s) if is_stalled else self._headline(options), _BOLD, options)
        shares = "" if self.verdict is None or is_stalled else format_shares(self.verdict)
        yield from _text_line(shares, _PLAIN, options) if blank and shares else blank
        for genre in genres:
            yield from self._genre_line(genre, options)
        yield from blank
        yield from self._level_line(is_stalled, options)
        for text in status:
            yield from _text_line(text, _PLAIN, options)

    def _stall(self, stalled_s: float) -> str:
        """Describe a stall: the last log message since the last samples, or the time without samples."""
        if self._log_handler.records and self._log_handler.last_s > self._meter.last_sample_s:
            return one_line(self._log_handler.records[-1].getMessage())
        return f"no samples for {stalled_s:.0f} s"

    def _headline(self, options: ConsoleOptions) -> str:
        if self.verdict is None:
            return "waiting for the first verdict"
        text = format_verdict(self.verdict, options.max_width)
        return text.replace(_DOT, "-") if options.ascii_only else text

    def _visible_genres(self, n: int) -> list[str]:
        """Return the `n` most probable genres, in the order of the labels."""
        if self.verdict is None or not self.verdict.genres or n >= len(self._labels):
            return self._labels[:n]
        most_probable = {entry.genre for entry in self.verdict.genres[:n]}
        return [label for label in self._labels if label in most_probable]

    def _genre_line(self, genre: str, options: ConsoleOptions) -> RenderResult:
        genres = self.verdict.genres if self.verdict else []
        probability = next((entry.probability for entry in genres if entry.genre == genre), None)
        is_best = self.verdict is not None and self.verdict.genre == genre
        value = "-" if probability is None else f"{probability:.0%}"
        return self._bar_line(genre, probability or 0.0, value, options, is_best)

    def _level_line(self, is_stalled: bool, options: ConsoleOptions) -> RenderResult:
        level_db = self._meter.level_db
        if is_stalled or level_db <= MIN_LEVEL_DB:
            return self._bar_line(_LEVEL, 0.0, "-" if is_stalled else "quiet", options)
        return self._bar_line(_LEVEL, 1 - level_db / MIN_LEVEL_DB, f"{level_db:.0f} dB", options)

    def _bar_line(
        self, name: str, fraction: float, value: str, options: ConsoleOptions, is_best: bool = False
    ) -> RenderResult:
        """Yield one line: mark, name, bar of a fraction from 0 to 1, and value."""
        longest_name = max(map(cell_len, [_LEVEL, *self._labels]))
        name_cells = min(longest_name, max(len(_LEVEL), options.max_width // 3))
        bar_cells = max(0, options.max_width - _MARK_CELLS - name_cells - 1 - _VALUE_CELLS)
        style = _BOLD if is_best else _PLAIN
        yield Segment(("> " if is_best else "  ") + _fit(name, name_cells, options) + " ", style)
        bar = _blocks(min(1.0, fraction), bar_cells, options.ascii_only)
        yield Segment(set_cell_size(bar, bar_cells), _BAR)
        yield Segment(f"{value:>{_VALUE_CELLS}}", style)
        yield Segment.line()

    def _status(self, width: int) -> list[str]:
        """Return position, dropped samples, lag and CPU load, in one line or two."""
        lag_ms = self.verdict.lag_ms if self.verdict else None
        position = f"{format_duration(self._meter.end_s)}  dropped {self._meter.dropped_samples}"
        load = f"lag {'-' if lag_ms is None else f'{lag_ms:.0f} ms'}  CPU {self._cpu.percent():.1f}%"
        return [f"{position}  {load}"] if width >= _SINGLE_STATUS_CELLS else [position, load]


def _text_line(text: str, style: Style, options: ConsoleOptions) -> RenderResult:
    yield Segment(_fit(text, options.max_width, options), style)
    yield Segment.line()


def _fit(text: str, cells: int, options: ConsoleOptions) -> str:
    """Truncate or pad to exactly `cells` cells, in characters that the terminal's encoding has."""
    fitted = Text(text.encode(options.encoding, "replace").decode(options.encoding))
    fitted.truncate(cells, overflow="crop" if options.ascii_only else "ellipsis", pad=True)
    return fitted.plain


def _blocks(fraction: float, cells: int, ascii_only: bool) -> str:
    """Return a bar in steps of half a cell, from block characters that console fonts have."""
    halves = round(2 * fraction * cells)
    return "#" * (halves // 2) if ascii_only else "█" * (halves // 2) + "▌" * (halves % 2)


def format_verdict(verdict: Verdict, max_cells: int | None = None) -> str:
    """Format a verdict with the length of audio that it covers: "jazz 82% · swing, blues (last 10 s)".

    Args:
        verdict: its genre, or its reason and sound, is shown.
        max_cells: width from which the least probable styles are omitted; None for no limit.
    """
    period = f"(last {verdict.end_s - verdict.start_s:.0f} s)"
    if verdict.reason is not None:
        sound = f": {verdict.sound}" if verdict.reason == "not_music" and verdict.sound else ""
        return f"{_REASONS[verdict.reason]}{sound} {period}"
    genre, styles = f"{verdict.genre} {verdict.confidence:.0%}", style_names(verdict)
    while styles:
        text = f"{genre} {_DOT} {', '.join(styles)} {period}"
        if max_cells is None or cell_len(text) <= max_cells:
            return text
        styles.pop()
    return f"{genre} {period}"


def format_shares(verdict: Verdict) -> str:
    """Format what the audio consists of: "music 62%, other sounds 38%"; "" if it is of one kind."""
    shares = {
        "music": verdict.music_share,
        "other sounds": verdict.not_music_share,
        "silence": verdict.silence_share,
    }
    parts = [f"{name} {share:.0%}" for name, share in shares.items() if share]
    return ", ".join(parts) if len(parts) > 1 else ""


def format_duration(seconds: float) -> str:
    """Format a duration as h:mm:ss."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
