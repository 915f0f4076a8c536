"""MP4 tags: several values in one ©gen, never the number gnre."""

from typing import IO, Any

from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm

from genre_edge.library.tagging.evidence import FIELD, Evidence
from genre_edge.library.tagging.tags import NewTags, Tags, may_replace_comment

_GENRE, _ALBUM, _COMMENT = "\xa9gen", "\xa9alb", "\xa9cmt"
_EVIDENCE = f"----:com.genre-edge:{FIELD}"


def read_mp4(file: IO[bytes]) -> Tags:
    """Read the tags; a gnre counts as the name of its number. Raises MutagenError."""
    file.seek(0)
    tags: Any = MP4(file).tags
    if tags is None:
        return Tags()
    found = [Evidence.from_text(bytes(value).decode(errors="replace")) for value in tags.get(_EVIDENCE, [])]
    genres = tuple(filter(None, (name.strip() for name in tags.get(_GENRE, []))))
    return Tags(genres, found[0] if found else None, next(iter(tags.get(_ALBUM, [])), ""))


def write_mp4(file: IO[bytes], new: NewTags) -> None:
    """Write the tags; a gnre is removed. Raises MutagenError."""
    file.seek(0)
    media: Any = MP4(file)
    if media.tags is None:
        media.add_tags()
    tags = media.tags
    tags[_GENRE] = list(new.genres)
    tags[_EVIDENCE] = [MP4FreeForm(new.evidence.to_text().encode(), AtomDataType.UTF8)]
    if new.comment is not None and may_replace_comment(tags.get(_COMMENT, [])):
        tags[_COMMENT] = [new.comment]
    file.seek(0)
    media.save(file)
