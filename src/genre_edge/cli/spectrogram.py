"""`genre-edge spectrogram`: the picture that the model sees."""

from pathlib import Path
from typing import Annotated

import typer

from genre_edge.cli.options import ModelOption
from genre_edge.system import signals


def spectrogram(
    path: Annotated[str, typer.Argument(help="An audio file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The PNG to write.")],
    model: ModelOption = "edge",
) -> None:
    """Draw a song's mel spectrogram as the model sees it, with axes in seconds and Hz, to a PNG."""
    from genre_edge.audio.files import open_file
    from genre_edge.classify.frontend import FrontEnd
    from genre_edge.errors import GenreEdgeError
    from genre_edge.mel.spectrogram import MelSpectrogram
    from genre_edge.model.prediction import Model
    from genre_edge.output import spectrogram_image as picture
    from genre_edge.system.atomic_write import write_atomically

    picture.require_pillow()  # before the song is decoded
    if not output.parent.is_dir():
        raise GenreEdgeError(f"{output}: there is no such directory")
    bundle = Model(model).bundle
    overview = picture.Overview(bundle.mel.n_mels)
    with open_file(path) as source:
        for chunk in FrontEnd(source, MelSpectrogram(bundle.mel)).chunks():
            overview.push(chunk.frames)
    signals.raise_interrupt()
    write_atomically(output, picture.draw(overview, bundle.mel, bundle.top_db, Path(path).name))
