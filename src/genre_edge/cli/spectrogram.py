"""`genre-edge spectrogram`: the model's input as an image."""

from pathlib import Path
from typing import Annotated

import typer

from genre_edge.cli.options import ModelOption
from genre_edge.system import signals


def spectrogram(
    path: Annotated[str, typer.Argument(metavar="FILE", help="Audio file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="PNG file to write.")],
    model: ModelOption = "edge",
) -> None:
    """Draw the model's input, a mel spectrogram, with axes in seconds and Hz, to a PNG file."""
    from genre_edge.audio.files import open_file
    from genre_edge.classify.frontend import FrontEnd
    from genre_edge.errors import GenreEdgeError
    from genre_edge.mel.spectrogram import MelSpectrogram
    from genre_edge.model.prediction import Model
    from genre_edge.output import spectrogram_image
    from genre_edge.system.atomic_write import write_atomically

    spectrogram_image.require_pillow()  # before the file is decoded
    if not output.parent.is_dir():
        raise GenreEdgeError(f"{output}: the directory does not exist")
    bundle = Model(model).bundle
    overview = spectrogram_image.Overview(bundle.mel.n_mels)
    with open_file(path) as source:
        for chunk in FrontEnd(source, MelSpectrogram(bundle.mel)).chunks():
            overview.push(chunk.frames)
    signals.raise_interrupt()
    write_atomically(output, spectrogram_image.draw(overview, bundle.mel, bundle.top_db, Path(path).name))
