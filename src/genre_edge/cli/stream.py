"""`genre-edge stream`: a verdict every few seconds of a live source."""

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge.cli.options import (
    ModelOption,
    RawOption,
    SourceArgument,
    ThresholdOption,
    TopOption,
    TriesOption,
    WindowOption,
)
from genre_edge.errors import ParameterError
from genre_edge.system.signals import blocked, raise_interrupt_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genre_edge.audio.source import Source
    from genre_edge.classify.classifier import Classifier
    from genre_edge.classify.verdict import Verdict

_INTERVAL_S = 5.0
_EVERY_PATCH_S = 0.1  # less than any model's patch
_LIVE_WINDOW_S = 10.0


class StreamFormat(str, Enum):
    """How verdicts are shown."""

    live = "live"
    jsonl = "jsonl"


def stream(
    source: SourceArgument = "microphone",
    interval: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=_EVERY_PATCH_S,
            max=86400,
            help="Seconds of sound from verdict to verdict, a patch of the model at least. By default 5; in the live "
            "view and with --window 0 every patch.",
        ),
    ] = None,
    window: WindowOption = None,
    format: Annotated[
        Optional[StreamFormat],  # noqa: UP045
        typer.Option(help="A moving picture, or JSON lines. By default live on a terminal, else jsonl."),
    ] = None,
    top: TopOption = None,
    model: ModelOption = "edge",
    threshold: ThresholdOption = None,
    raw: RawOption = None,
    tries: TriesOption = 30,
) -> None:
    """Listen, and tell the genre every few seconds: moving bars on a terminal, else a JSON line each.

    Ctrl-C ends it. A live source that dies is opened again. With neither --interval nor --window, the moving bars are
    the mean of the last 10 s.
    """
    live = _is_live(format)
    interval, window = _pace(interval, window, live)
    with blocked():  # numpy and the network begin threads
        from genre_edge.classify.classifier import Classifier

        classifier = Classifier(model, threshold)
        from genre_edge.audio.live.reconnect import RetryPolicy
        from genre_edge.audio.opening import open_source

    try:
        raise_interrupt_once()
        with open_source(source, raw, RetryPolicy(tries=tries)) as audio:
            if live:
                _show(classifier, audio, interval, window, top)
            else:
                _print(classifier.stream(audio, interval, window_s=window), top)
    except KeyboardInterrupt:
        pass  # how a live source is ended


def _is_live(format: StreamFormat | None) -> bool:
    """Whether to show the live view. Raises ParameterError where it is wanted and cannot be."""
    if format is StreamFormat.jsonl or (format is None and not sys.stdout.isatty()):
        return False
    from rich.console import Console

    from genre_edge.cli.terminal.screen import can_move

    able = can_move(Console())
    if format is StreamFormat.live and not able:
        raise ParameterError("--format live needs a terminal on standard output, one whose cursor can be moved")
    return able


def _pace(interval_s: float | None, window_s: float | None, live: bool) -> tuple[float, float | None]:
    """Interval and window where one is not given."""
    if interval_s is not None:
        return interval_s, window_s
    if live and window_s is None:
        window_s = _LIVE_WINDOW_S
    return _EVERY_PATCH_S if live or window_s == 0 else _INTERVAL_S, window_s


def _print(verdicts: "Iterator[Verdict]", top: int | None) -> None:
    from genre_edge.output.json_format import json_line

    for verdict in verdicts:
        sys.stdout.write(json_line(verdict, top) + "\n")
        sys.stdout.flush()


def _show(
    classifier: "Classifier", audio: "Source", interval_s: float, window_s: float | None, top: int | None
) -> None:
    """The live view while it lasts; its last answer is left on the terminal."""
    from rich.console import Console

    from genre_edge.audio.level_meter import LevelMeter
    from genre_edge.audio.paths import STDIN
    from genre_edge.cli.terminal.live_view import LiveView, hours, in_words
    from genre_edge.cli.terminal.screen import LogKeeper, on_screen

    bundle, meter, log = classifier.bundle, LevelMeter(), LogKeeper()
    name = "standard input" if audio.name == STDIN else audio.name
    view = LiveView(name, meter, bundle.labels, f"{bundle.name} {bundle.version}", log, top)
    try:
        with on_screen(view, Console(), log):
            for view.verdict in classifier.stream(audio, interval_s, window_s=window_s, on_frames=meter):
                pass
    finally:
        if view.verdict is not None:
            print(f"{hours(view.verdict.end_s)}  {in_words(view.verdict)}")
