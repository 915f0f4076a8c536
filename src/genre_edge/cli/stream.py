"""`genre-edge stream`: a verdict every few seconds of a live source."""

import sys
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge import signals
from genre_edge.cli.classify import ModelOption, RawOption, ThresholdOption, TopOption
from genre_edge.errors import ParameterError

if TYPE_CHECKING:
    from genre_edge.audio.block import Source


def stream(
    source: Annotated[
        str,
        typer.Argument(
            help="A sound card's name or number, an address (http, icecast, rtsp), or - for standard input "
            "(a WAV, or PCM with --raw)."
        ),
    ] = "microphone",
    interval: Annotated[
        float, typer.Option(min=0.1, max=86400, help="Seconds of sound from verdict to verdict.")
    ] = 5.0,
    window: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0.1,
            max=86400,
            help="Seconds that a verdict is the mean of: all the smoothing there is. By default since the one before; "
            "0.1 is one patch of the model.",
        ),
    ] = None,
    top: TopOption = None,
    model: ModelOption = "edge",
    threshold: ThresholdOption = None,
    raw: RawOption = None,
    tries: Annotated[
        int, typer.Option(min=1, help="How often a live source that is gone is tried before this ends with code 3.")
    ] = 30,
) -> None:
    """Listen, and print one JSON line every few seconds. Ctrl-C ends it. A live source that dies is opened again."""
    from genre_edge.classifier import Classifier
    from genre_edge.render import json_line

    if raw is not None and source != "-":
        raise ParameterError("--raw describes standard input: give - as the source")
    classifier = Classifier(model, threshold)
    signals.end_well()
    try:
        with _open(source, raw, tries) as audio:
            for verdict in classifier.stream(audio, interval, window_s=window):
                sys.stdout.write(json_line(verdict, top) + "\n")
                sys.stdout.flush()
    except KeyboardInterrupt:
        pass  # how a live source is ended


def _open(source: str, raw: str | None, tries: int) -> "Source":
    if source == "-":
        from genre_edge.cli.inputs import open_standard_input

        return open_standard_input(raw)
    from genre_edge.audio.live import open_live
    from genre_edge.audio.reconnect import Patience

    return open_live(source, Patience(tries=tries))
