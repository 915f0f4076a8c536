"""`genre-edge stream`: a verdict every few seconds of a live source."""

import sys
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge.cli.classify import ModelOption, RawOption, ThresholdOption, TopOption
from genre_edge.errors import ParameterError
from genre_edge.signals import held, interrupt_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genre_edge.audio.block import Source
    from genre_edge.classifier import Classifier
    from genre_edge.verdict import Verdict

_INTERVAL_S = 5.0
_EVERY_PATCH_S = 0.1  # less than any model's patch
_LIVE_WINDOW_S = 10.0


class StreamFormat(str, Enum):
    """How verdicts are shown."""

    live = "live"
    jsonl = "jsonl"


SourceArgument = Annotated[
    str,
    typer.Argument(
        help="A sound card's name or number, an address (http, icecast, rtsp), a file, or - for standard input "
        "(a WAV, or PCM with --raw)."
    ),
]
IntervalOption = Annotated[float, typer.Option(min=0.1, max=86400, help="Seconds of sound from verdict to verdict.")]
WindowOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        min=0,
        max=86400,
        help="Seconds that a verdict is the mean of: all the smoothing there is. By default since the one before; 0 "
        "turns it off: one patch of the model.",
    ),
]
TriesOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="How often a live source that is gone is tried, since it was last heard for a minute, before this ends "
        "with code 3.",
    ),
]


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
    with held():  # numpy and the network begin threads
        from genre_edge.classifier import Classifier

        classifier = Classifier(model, threshold)
    try:
        interrupt_once()
        with open_source(source, raw, tries) as audio:
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

    from genre_edge.cli.screen import can_move

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
    from genre_edge.render import json_line

    for verdict in verdicts:
        sys.stdout.write(json_line(verdict, top) + "\n")
        sys.stdout.flush()


def _show(
    classifier: "Classifier", audio: "Source", interval_s: float, window_s: float | None, top: int | None
) -> None:
    """The live view while it lasts; its last answer is left on the terminal."""
    from rich.console import Console

    from genre_edge.audio.meter import Meter
    from genre_edge.cli.inputs import STDIN
    from genre_edge.cli.live_view import LiveView, hours, in_words
    from genre_edge.cli.screen import LogKeeper, on_screen

    bundle, meter, log = classifier.bundle, Meter(), LogKeeper()
    name = "standard input" if audio.name == STDIN else audio.name
    view = LiveView(name, meter, bundle.labels, f"{bundle.name} {bundle.version}", log, top)
    try:
        with on_screen(view, Console(), log):
            for view.verdict in classifier.stream(audio, interval_s, window_s=window_s, on_frames=meter):
                pass
    finally:
        if view.verdict is not None:
            print(f"{hours(view.verdict.end_s)}  {in_words(view.verdict)}")


def open_source(source: str, raw: str | None, tries: int, *, wait: bool = True) -> "Source":
    """What SOURCE means. A live one is opened here and now, or without `wait` by whoever reads it. A file is a stream
    that ends.

    Raises:
        ParameterError, AudioError, SourceLostError: as `open_live`, `open_file` and `open_standard_input`.
    """
    if source == "-":
        from genre_edge.cli.inputs import open_standard_input

        return open_standard_input(raw)
    if raw is not None:
        raise ParameterError("--raw describes standard input: give - as the source")
    from genre_edge.audio.live import is_file_name, open_live

    if is_file_name(source):
        from genre_edge.audio.files import open_file

        return open_file(source)
    from genre_edge.audio.reconnect import Patience

    return open_live(source, Patience(tries=tries), wait=wait)
