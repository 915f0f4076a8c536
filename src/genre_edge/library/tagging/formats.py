"""Reading and writing of tags, by what the file holds."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from genre_edge.library.tagging.payload import find_payload
from genre_edge.library.tagging.tags import NewTags, TagError, Tags, UntaggableError
from genre_edge.system.regular_file import open_regular

INSTALL = "tagging needs mutagen; run: pip install 'genre-edge[library]'"


def require_mutagen() -> None:
    """Raise a TagError with the command that installs mutagen, if it is missing."""
    try:
        import mutagen  # noqa: F401
    except ImportError:
        raise TagError(INSTALL) from None


def read_tags(path: Path) -> Tags:
    """Read a file's genres, evidence and album.

    Raises:
        OSError: the file cannot be read.
        UntaggableError: the file is in no format that can be tagged.
        TagError: its tags are damaged.
    """
    with open_regular(path) as file:
        return read_open(file)


def read_open(file: IO[bytes]) -> Tags:
    """Read the tags of an open file. Raises as `read_tags` does."""
    from genre_edge.library.tagging import id3_tags, mp4_tags, vorbis_tags

    container = _container(file)
    with _mutagen_errors():
        if container in ("mp3", "wav", "aiff"):
            return id3_tags.read_id3(file, container)
        if container == "mp4":
            return mp4_tags.read_mp4(file)
        return vorbis_tags.read_vorbis(file, container)


def write_open(file: IO[bytes], new: NewTags) -> None:
    """Write the tags of an open file in place; all other tags stay. Raises as `read_tags` does."""
    from genre_edge.library.tagging import id3_tags, mp4_tags, vorbis_tags

    container = _container(file)
    with _mutagen_errors():
        if container in ("mp3", "wav", "aiff"):
            id3_tags.write_id3(file, container, new)
        elif container == "mp4":
            mp4_tags.write_mp4(file, new)
        else:
            vorbis_tags.write_vorbis(file, container, new)


def _container(file: IO[bytes]) -> str:
    container = find_payload(file.fileno()).container
    if not container:
        raise UntaggableError("the format has no tags that genre-edge writes, or the file is damaged")
    return container


@contextmanager
def _mutagen_errors() -> Iterator[None]:
    """Raise mutagen's errors as TagError, and those of the system that it wraps as OSError."""
    from mutagen import MutagenError

    try:
        yield
    except MutagenError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = (
                cause.__cause__
                or cause.__context__
                or next((part for part in cause.args if isinstance(part, BaseException)), None)
            )
        if isinstance(cause, OSError) and cause.errno not in (None, errno.EINVAL):
            raise cause from None
        raise TagError(f"mutagen cannot process the tags: {error}") from None
    except Exception as error:  # of a parser, for damaged tags
        if isinstance(error, (OSError, TagError, MemoryError)) and getattr(error, "errno", None) != errno.EINVAL:
            raise
        raise TagError(f"mutagen cannot process the tags: {error or type(error).__name__}") from None
