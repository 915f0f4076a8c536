"""Options and arguments that several commands share."""

from enum import Enum
from typing import Annotated, Optional

import typer


class ListFormat(str, Enum):
    """How the list is written."""

    table = "table"
    json = "json"


ModelOption = Annotated[str, typer.Option(help="An installed model's name, or the directory of a bundle.")]
TopOption = Annotated[int | None, typer.Option(min=1, help="How many genres to list (all in JSON, else 3).")]
ThresholdOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(min=0, max=1, help="Answer low_confidence below this (the model says its own)."),
]
RawOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(metavar="ENCODING:RATE:CHANNELS", help="Standard input is raw PCM, as in s16le:22050:1."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
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
