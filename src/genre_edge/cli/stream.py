"""`genre-edge stream`: a verdict every few seconds of a live source or a file."""

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge.cli.options import (
    DEFAULT_STYLES,
    ModelOption,
    RawOption,
    SourceArgument,
    SourceFileOption,
    StylesOption,
    ThresholdOption,
    TopOption,
    TriesOption,
    VocabularyName,
    VocabularyOption,
    WindowOption,
)
from genre_edge.cli.source_name import source_name
from genre_edge.errors import ParameterError
from genre_edge.system.signals import blocked, raise_interrupt_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genre_edge.audio.source import Source
    from genre_edge.classify.classifier import Classifier
    from genre_edge.classify.verdict import Verdict

_INTERVAL_S = 5.0
_MIN_INTERVAL_S = 0.1  # shorter than the patches of any model: a verdict for each patch
_LIVE_WINDOW_S = 10.0


class StreamFormat(str, Enum):
    """Output formats of `stream`."""

    live = "live"
    jsonl = "jsonl"


def stream(
    source: SourceArgument = None,
    source_file: SourceFileOption = None,
    interval: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=_MIN_INTERVAL_S,
            max=86400,
            help="Seconds of audio between verdicts, at least one patch of the model (default: 5, but one patch in the "
            "live view and with --window 0).",
        ),
    ] = None,
    window: WindowOption = None,
    format: Annotated[
        Optional[StreamFormat],  # noqa: UP045
        typer.Option(help="live: full-screen view; jsonl: JSON lines (default: live on a terminal, else jsonl)."),
    ] = None,
    top: TopOption = None,
    model: ModelOption = "edge",
    threshold: ThresholdOption = None,
    styles: StylesOption = DEFAULT_STYLES,
    vocabulary: VocabularyOption = VocabularyName.genres,
    raw: RawOption = None,
    tries: TriesOption = 30,
) -> None:
    """Classify a live source continuously: a live view on a terminal, otherwise JSON lines.

    Ctrl-C stops it. A live source that fails is opened again. Without --interval and --window, the live view shows the
    mean of the last 10 s.
    """
    name = source_name(source, source_file)
    is_live_view = _uses_live_view(format)
    interval, window = _interval_and_window(interval, window, is_live_view)
    with blocked():  # numpy and the network start threads, which must not receive signals
        from genre_edge.classify.classifier import Classifier

        classifier = Classifier(model, threshold, vocabulary.value, styles)
        from genre_edge.audio.live.reconnect import RetryPolicy
        from genre_edge.audio.opening import open_source

    try:
        raise_interrupt_once()
        with open_source(name, raw, RetryPolicy(tries=tries)) as audio:
            if is_live_view:
                _show_live_view(classifier, audio, interval, window, top)
            else:
                _print_json_lines(classifier.stream(audio, interval, window_s=window), top)
    except KeyboardInterrupt:
        pass  # Ctrl-C is the normal end of a live source


def _uses_live_view(format: StreamFormat | None) -> bool:
    """Choose between live view and JSON lines. Raises ParameterError if --format live lacks a suitable terminal."""
    if format is StreamFormat.jsonl or (format is None and not sys.stdout.isatty()):
        return False
    from rich.console import Console

    from genre_edge.cli.terminal.screen import has_movable_cursor

    is_supported = has_movable_cursor(Console())
    if format is StreamFormat.live and not is_supported:
        raise ParameterError("--format live needs a terminal with a movable cursor on standard output")
    return is_supported


def _interval_and_window(
    interval_s: float | None, window_s: float | None, is_live_view: bool
) -> tuple[float, float | None]:
    """Fill in the defaults, which depend on each other and on the format."""
    if interval_s is not None:
        return interval_s, window_s
    if is_live_view and window_s is None:
        window_s = _LIVE_WINDOW_S
    return _MIN_INTERVAL_S if is_live_view or window_s == 0 else _INTERVAL_S, window_s


def _print_json_lines(verdicts: "Iterator[Verdict]", top: int | None) -> None:
    from genre_edge.output.json_format import json_line

    for verdict in verdicts:
        sys.stdout.write(json_line(verdict, top) + "\n")
        sys.stdout.flush()


def _show_live_view(
    classifier: "Classifier", audio: "Source", interval_s: float, window_s: float | None, top: int | None
) -> None:
    """Show the live view until the source ends; then print the last verdict."""
    from rich.console import Console

    from genre_edge.audio.level_meter import LevelMeter
    from genre_edge.audio.paths import STDIN
    from genre_edge.cli.terminal.live_view import LiveView, format_duration, format_verdict
    from genre_edge.cli.terminal.screen import RecentLogHandler, alternate_screen

    bundle, meter, log_handler = classifier.bundle, LevelMeter(), RecentLogHandler()
    name = "standard input" if audio.name == STDIN else audio.name
    view = LiveView(name, meter, classifier.labels, f"{bundle.name} {bundle.version}", log_handler, top)
    try:
        with alternate_screen(view, Console(), log_handler):
            for view.verdict in classifier.stream(audio, interval_s, window_s=window_s, on_frames=meter):
                pass
    finally:
        if view.verdict is not None:
            print(f"{format_duration(view.verdict.end_s)}  {format_verdict(view.verdict)}")
