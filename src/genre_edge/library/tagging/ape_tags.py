"""The genre of an APEv2 tag at the end of an mp3, which some players read before ID3."""

from collections.abc import Iterable
from typing import IO, Any

from mutagen.apev2 import APENoHeaderError, APEv2

from genre_edge.library.tagging.tags import TagError

_GENRE = "Genre"
_LYRICS = b"LYRICS200"
_TAIL_BYTES = 200


def read_ape_genres(file: IO[bytes]) -> tuple[str, ...]:
    """Return the genres, none without a tag. Raises MutagenError."""
    tags = _load(file)
    return tuple(filter(None, map(str, tags[_GENRE]))) if tags is not None and _GENRE in tags else ()


def replace_ape_genres(file: IO[bytes], genres: Iterable[str], id3v1: bytes) -> None:
    """Replace the genres of a tag that has some; another tag stays as it is.

    Args:
        file: the open file.
        genres: the new genres.
        id3v1: the ID3v1 tag behind it, b"" if there is none.

    Raises:
        MutagenError: the tag cannot be written.
        TagError: a Lyrics3 tag follows, which mutagen would delete.
    """
    tags = _load(file)
    if tags is None or _GENRE not in tags:
        return
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL_BYTES))
    if _LYRICS in file.read():
        raise TagError("a Lyrics3 tag follows an APE tag; genre-edge does not write such files")
    tags[_GENRE] = list(genres)
    file.seek(0)
    tags.save(file)
    if id3v1:
        file.seek(0, 2)
        file.write(id3v1)


def _load(file: IO[bytes]) -> Any:
    file.seek(0)
    try:
        return APEv2(file)
    except APENoHeaderError:
        return None
