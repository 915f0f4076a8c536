"""`genre-edge stream`: a verdict every few seconds of a live source."""

import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genre_edge.cli.classify import ModelOption, RawOption, ThresholdOption, TopOption
from genre_edge.errors import ParameterError

if TYPE_CHECKING:
    from genre_edge.audio.block import Source


def stream(
    source: Annotated[
        str, typer.Argument(help="- for standard input (a WAV, or PCM with --raw), or a microphone's name or number.")
    ] = "microphone",
    interval: Annotated[
        float, typer.Option(min=0.1, max=86400, help="Seconds of sound from verdict to verdict.")
    ] = 5.0,
    top: TopOption = None,
    model: ModelOption = "edge",
    threshold: ThresholdOption = None,
    raw: RawOption = None,
) -> None:
    """Listen, and print one JSON line every few seconds. Ctrl-C ends it."""
    from genre_edge.classifier import Classifier
    from genre_edge.render import json_line

    if raw is not None and source != "-":
        raise ParameterError("--raw describes standard input: give - as the source")
    classifier = Classifier(model, threshold)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _open(source, raw) as audio:
            for verdict in classifier.stream(audio, interval):
                sys.stdout.write(json_line(verdict, top) + "\n")
                sys.stdout.flush()
    except KeyboardInterrupt:
        pass  # how a live source is ended


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _open(source: str, raw: str | None) -> "Source":
    if source == "-":
        from genre_edge.cli.inputs import open_standard_input

        return open_standard_input(raw)
    from genre_edge.audio.microphone import Microphone

    return Microphone(None if source == "microphone" else source)
