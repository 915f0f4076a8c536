"""ID3v2 tags of mp3, WAV and AIFF files.

In ID3v2.4 the genres are one TCON frame with a NUL between values. A tag of version 2.3, which has no such lists, stays
one, and its values are joined by "; "; one of version 2.2 becomes 2.3.
"""

import re
from typing import IO, Any

from mutagen.aiff import _IFFID3
from mutagen.id3 import COMM, ID3, TCON, TXXX, Encoding, ID3NoHeaderError
from mutagen.wave import _WaveID3

from genre_edge.library.tagging.ape_tags import read_ape_genres, replace_ape_genres
from genre_edge.library.tagging.chunk_payload import wav_info_genres
from genre_edge.library.tagging.evidence import FIELD, Evidence
from genre_edge.library.tagging.tags import NewTags, Tags, may_replace_comment

_CLASSES: dict[str, Any] = {"mp3": ID3, "wav": _WaveID3, "aiff": _IFFID3}
_V23_SEPARATOR = "; "
_ID3V1_BYTES, _NO_GENRE = 128, 255


def read_id3(file: IO[bytes], container: str) -> Tags:
    """Read the tags, ID3v1 included. Raises MutagenError."""
    tags = _load(file, container, load_v1=True)
    other_genres = read_ape_genres(file) if container == "mp3" else wav_info_genres(file) if container == "wav" else ()
    if tags is None:
        return Tags(other_genres)
    genres = [name for frame in tags.getall("TCON") for name in frame.genres]
    if tags.version[1] != 4:
        genres = [name.strip() for value in genres for name in re.split(r"[;\0]", value)]
    found = [Evidence.from_text(str(frame)) for frame in tags.getall(f"TXXX:{FIELD}")]
    album = next((str(frame) for frame in tags.getall("TALB")), "")
    return Tags(tuple(filter(None, genres)) or other_genres, found[0] if found else None, album)


def write_id3(file: IO[bytes], container: str, new: NewTags) -> None:
    """Write the tags. Raises MutagenError."""
    tags = _load(file, container, load_v1=False)
    if tags is None:
        tags = _CLASSES[container]()
    version = 3 if tags.version[:2] in ((2, 3), (2, 2)) else 4
    if tags.version[:2] == (2, 2):
        tags.update_to_v23()
    genres = [_V23_SEPARATOR.join(new.genres)] if version == 3 else list(new.genres)
    evidence = new.evidence.to_text()
    tags.setall("TCON", [TCON(encoding=_encoding(genres, version), text=genres)])
    tags.setall(f"TXXX:{FIELD}", [TXXX(encoding=_encoding([evidence], version), desc=FIELD, text=[evidence])])
    if new.comment is not None:
        _write_comment(tags, new.comment, version)
    file.seek(0)
    options = {"v2_version": version, "v23_sep": None}
    if container == "mp3":
        old_v1 = _id3v1(file)
        tags.save(file, v1=1, **options)
        replace_ape_genres(file, new.genres, old_v1)
        _restore_id3v1(file, old_v1, new.genres[0])
    else:
        tags.save(file, **options)


def _load(file: IO[bytes], container: str, load_v1: bool) -> Any:
    """Return the tags as they are in the file, None if there are none.

    Args:
        file: the open file.
        container: "mp3", "wav" or "aiff".
        load_v1: add what only an ID3v1 tag says. A file without ID3v2 always gets the fields of ID3v1: players that
            find a new ID3v2 tag may not look for another one.
    """
    file.seek(0)
    try:
        return _CLASSES[container](file, translate=False, load_v1=load_v1 and container == "mp3")
    except ID3NoHeaderError:
        if container != "mp3":
            return None
    file.seek(0)
    try:
        return ID3(file)
    except ID3NoHeaderError:
        return None


def _write_comment(tags: Any, text: str, version: int) -> None:
    """Write the comment that players show, which has no description, unless it is a user's."""
    shown = [frame for frame in tags.getall("COMM") if not frame.desc]
    if may_replace_comment([str(frame) for frame in shown]):
        for frame in shown:
            del tags[frame.HashKey]
        tags.add(COMM(encoding=_encoding([text], version), lang="eng", desc="", text=[text]))


def _encoding(texts: list[str], version: int) -> int:
    """Return the encoding that the tag's version has for texts."""
    if all(text.isascii() for text in texts):
        return Encoding.LATIN1
    return Encoding.UTF8 if version == 4 else Encoding.UTF16


def _id3v1(file: IO[bytes]) -> bytes:
    """Return the ID3v1 tag at the end of a file, b"" without one."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _ID3V1_BYTES))
    tail = file.read(_ID3V1_BYTES)
    file.seek(0)
    return tail if len(tail) == _ID3V1_BYTES and tail[:3] == b"TAG" else b""


def _restore_id3v1(file: IO[bytes], old: bytes, genre: str) -> None:
    """Write back an ID3v1 tag with another genre: its number, or none if ID3v1 does not know it."""
    if old:
        names = [name.casefold() for name in TCON.GENRES]
        number = names.index(genre.casefold()) if genre.casefold() in names else _NO_GENRE
        file.seek(-_ID3V1_BYTES, 2)
        file.write(old[:-1] + bytes([number]))
