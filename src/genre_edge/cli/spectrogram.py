"""`genre-edge spectrogram`: the picture that the model sees."""

from pathlib import Path
from typing import Annotated

import typer

from genre_edge import signals
from genre_edge.cli.classify import ModelOption


def spectrogram(
    path: Annotated[str, typer.Argument(help="An audio file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The PNG to write.")],
    model: ModelOption = "edge",
) -> None:
    """Draw a song's mel spectrogram as the model sees it, with axes in seconds and Hz, to a PNG."""
    from genre_edge import picture
    from genre_edge.audio.files import open_file
    from genre_edge.errors import GenreEdgeError
    from genre_edge.files import write_atomically
    from genre_edge.frontend import frames_of
    from genre_edge.mel import MelSpectrogram
    from genre_edge.model import Model

    picture.need_pillow()  # before the song is decoded
    if not output.parent.is_dir():
        raise GenreEdgeError(f"{output}: there is no such directory")
    bundle = Model(model).bundle
    overview = picture.Overview(bundle.mel.n_mels)
    with open_file(path) as source:
        for frames in frames_of(source, MelSpectrogram(bundle.mel)):
            overview.push(frames)
    signals.end_well()
    write_atomically(output, picture.draw(overview, bundle.mel, bundle.top_db, Path(path).name))
