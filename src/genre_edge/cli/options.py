"""Options and arguments that several commands share."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

DEFAULT_STYLES = 3


class ListFormat(str, Enum):
    """Output formats of commands that list something."""

    table = "table"
    json = "json"


class VocabularyName(str, Enum):
    """What the genre of a verdict is: one of the model's genres, or of its styles."""

    genres = "genres"
    styles = "styles"


ModelOption = Annotated[str, typer.Option(help="Name of an installed model, or directory of a bundle.")]
TopOption = Annotated[int | None, typer.Option(min=1, help="Number of genres to list (default: all in JSON, else 3).")]
ThresholdOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        min=0,
        max=1,
        help="Report low_confidence if the best probability is below this (default: the model's threshold).",
    ),
]
StylesOption = Annotated[int, typer.Option(min=0, help="Number of likely styles to list at most; 0 for none.")]
VocabularyOption = Annotated[
    VocabularyName,
    typer.Option(help="styles: the best of the model's styles, such as techno, is the genre."),
]
RawOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        metavar="ENCODING:RATE:CHANNELS", help="Read standard input as raw PCM in this format, e.g. s16le:22050:1."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
SourceArgument = Annotated[
    Optional[str],  # noqa: UP045
    typer.Argument(
        metavar="[SOURCE]",
        help="Sound card name or number, URL (http, icecast, rtsp; also of a playlist), file, or - for standard input "
        "(a WAV, or raw PCM with --raw). Default: GENRE_EDGE_SOURCE, else the default microphone.",
    ),
]
SourceFileOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(
        metavar="PATH",
        help="Read the source from the first line of this file. Prefer this or GENRE_EDGE_SOURCE for a URL with a "
        "password: other users can see command lines.",
    ),
]
IntervalOption = Annotated[float, typer.Option(min=0.1, max=86400, help="Seconds of audio between verdicts.")]
WindowOption = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        min=0,
        max=86400,
        help="Average each verdict over the last N seconds of audio (default: since the previous verdict). 0 disables "
        "smoothing: a verdict then covers one patch of the model.",
    ),
]
TriesOption = Annotated[
    int,
    typer.Option(
        min=1,
        help="Give up after N failed attempts (exit code 3). The count resets after a minute of audio.",
    ),
]
DatabaseOption = Annotated[Path, typer.Option("--db", help="The library's database, which genre-edge scan writes.")]
