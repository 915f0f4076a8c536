"""Vorbis comments of FLAC and Ogg files: one GENRE for each value."""

from typing import IO, Any

from mutagen.flac import FLAC
from mutagen.oggflac import OggFLAC
from mutagen.oggopus import OggOpus
from mutagen.oggspeex import OggSpeex
from mutagen.oggvorbis import OggVorbis

from genre_edge.library.tagging.evidence import FIELD, Evidence
from genre_edge.library.tagging.tags import NewTags, Tags, UntaggableError, may_replace_comment

_OGG = {b"\x01vorbis": OggVorbis, b"OpusHead": OggOpus, b"\x7fFLAC": OggFLAC, b"Speex   ": OggSpeex}
_HEAD_BYTES = 4096


def read_vorbis(file: IO[bytes], container: str) -> Tags:
    """Read the tags. Raises MutagenError, or UntaggableError for an Ogg file of another codec."""
    tags = _load(file, container).tags
    if tags is None:
        return Tags()
    found = [Evidence.from_text(text) for text in tags.get(FIELD, [])]
    genres = tuple(filter(None, (name.strip() for name in tags.get("GENRE", []))))
    return Tags(genres, found[0] if found else None, next(iter(tags.get("ALBUM", [])), ""))


def write_vorbis(file: IO[bytes], container: str, new: NewTags) -> None:
    """Write the tags. Raises MutagenError, or UntaggableError for an Ogg file of another codec."""
    media = _load(file, container)
    if media.tags is None:
        media.add_tags()
    tags = media.tags
    tags["GENRE"] = list(new.genres)
    tags[FIELD] = [new.evidence.to_text()]
    if new.comment is not None and may_replace_comment(tags.get("COMMENT", []) + tags.get("DESCRIPTION", [])):
        tags["COMMENT"] = [new.comment]
    file.seek(0)
    media.save(file)


def _load(file: IO[bytes], container: str) -> Any:
    file.seek(0)
    if container == "flac":
        return FLAC(file)
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    for magic, kind in _OGG.items():
        if magic in head:
            return kind(file)  # type: ignore[no-untyped-call]
    raise UntaggableError("an Ogg file without Vorbis, Opus, FLAC or Speex")
