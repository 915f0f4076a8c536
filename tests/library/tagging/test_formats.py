"""Tags in each format: what players expect is written, and everything else stays."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mutagen
import pytest
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, ID3, TALB, TCON, TIT2, TPE1, TXXX, TYER
from mutagen.mp4 import MP4, MP4Cover

from genre_edge.library.tagging.evidence import Evidence
from genre_edge.library.tagging.formats import read_tags, write_open
from genre_edge.library.tagging.tags import NewTags, TagError, Tags, UntaggableError
from tests.helpers.tagging import FORMATS, genres_by_mutagen

GENRES = ("Drum & Bass", "Électronique")
NEW = NewTags(Evidence("ab" * 32, "2026-11-29", (("rock", 0.7), ("pop", 0.2), ("jazz", 0.06)), GENRES))
PICTURE = bytes(range(256)) * 400


def write(path: Path, new: NewTags = NEW) -> None:
    """Write tags into a file in place."""
    with path.open("r+b") as file:
        write_open(file, new)


@pytest.mark.parametrize("suffix", FORMATS)
def test_write_reads_back(suffix: str, music: Path) -> None:
    """Genres in order and evidence are read back, by us and by mutagen; a second write replaces the first."""
    path = music / f"song.{suffix}"
    assert read_tags(path) == Tags()
    write(path, NewTags(Evidence("cd" * 32, "2026-11-28", (), ("jazz",))))
    write(path)
    assert read_tags(path) == Tags(GENRES, NEW.evidence)
    assert read_tags(path).are_ours
    assert genres_by_mutagen(path) == list(GENRES)


@pytest.mark.parametrize("suffix", FORMATS)
def test_write_is_read_by_ffprobe(suffix: str, music: Path) -> None:
    """ffprobe shows the first genre and the evidence, in every format."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is missing: it reads the tags back")
    path = music / f"song.{suffix}"
    write(path)
    command = ["ffprobe", "-v", "error", "-show_entries", "format_tags:stream_tags", "-of", "json", str(path)]
    shown = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    streams = [stream.get("tags", {}) for stream in shown.get("streams", [])]
    tags = {key.lower(): value for part in (shown["format"].get("tags", {}), *streams) for key, value in part.items()}
    assert tags["genre"].startswith(GENRES[0])
    assert Evidence.from_text(tags["genre_edge"]) == NEW.evidence


def _id3(path: Path) -> Any:
    return mutagen.File(path).tags if path.suffix != ".mp3" else ID3(path, translate=False)


@pytest.mark.parametrize("suffix", ["mp3", "wav", "aiff"])
def test_id3_v24_one_frame_with_nul(suffix: str, music: Path) -> None:
    """A new tag is of version 2.4, with one TCON frame and a NUL between its values."""
    path = music / f"song.{suffix}"
    write(path)
    content = path.read_bytes()
    assert content.count(b"TCON") == 1
    assert _id3(path).version == (2, 4, 0)
    size = int.from_bytes(content[content.index(b"TCON") + 4 :][:4], "big")
    text = content[content.index(b"TCON") + 11 :][: size - 1]
    assert text.rstrip(b"\0") == "\0".join(GENRES).encode()


@pytest.mark.parametrize("suffix", ["mp3", "wav", "aiff"])
def test_id3_v23_stays(suffix: str, music: Path) -> None:
    """A tag of version 2.3 stays one, with its own frames and lists; the genres are one text, joined by "; "."""
    path = music / f"song.{suffix}"
    media = mutagen.File(path)
    if media.tags is None:
        media.add_tags()
    media.tags.add(TYER(encoding=0, text=["1997"]))
    media.tags.add(TPE1(encoding=1, text=["A", "B"]))
    media.tags.add(TCON(encoding=0, text=["(17)"]))
    media.tags.save(path, v2_version=3, v23_sep=None)
    assert read_tags(path).genres == ("Rock",)
    write(path)
    tags = media.tags.__class__(path, translate=False)
    assert tags.version == (2, 3, 0)
    assert (tags["TYER"].text, tags["TPE1"].text, tags["TCON"].text) == (["1997"], ["A", "B"], ["; ".join(GENRES)])
    assert read_tags(path).genres == GENRES


def test_id3_v22_becomes_v23(music: Path) -> None:
    """Version 2.2, which nothing writes any more, becomes 2.3 with all frames."""
    path = music / "song.mp3"
    frames = b"TT2\0\0\x06\0Title" + b"TCO\0\0\x05\0(17)" + b"TYE\0\0\x05\0" + b"1997"
    path.write_bytes(b"ID3\x02\0\0\0\0\0" + bytes([len(frames)]) + frames + path.read_bytes())
    assert read_tags(path).genres == ("Rock",)
    write(path)
    tags = ID3(path, translate=False)
    assert tags.version == (2, 3, 0)
    assert (str(tags["TIT2"]), str(tags["TYER"])) == ("Title", "1997")


@pytest.mark.parametrize(
    ("texts", "genres"),
    [
        (["(17)"], ("Rock",)),
        (["17"], ("Rock",)),
        (["(17)(13)"], ("Rock", "Pop")),
        (["(4)Eurodisco"], ("Disco", "Eurodisco")),
        (["17", "My own"], ("Rock", "My own")),
        ([""], ()),
    ],
)
def test_id3_numbers_read_as_names(texts: list[str], genres: tuple[str, ...], music: Path) -> None:
    """Numbers of ID3v1 genres are read as names."""
    path = music / "song.mp3"
    tags = ID3()
    tags.add(TIT2(encoding=0, text=["Title"]))
    tags.add(TCON(encoding=0, text=texts))
    tags.save(path)
    assert read_tags(path).genres == genres


def test_id3v1_keeps_all_but_its_genre(music: Path) -> None:
    """An ID3v1 tag keeps its bytes; its genre becomes the new one, or none if ID3v1 has no number for it."""
    path = music / "song.mp3"
    id3v1 = b"TAG" + b"Caf\xe9".ljust(30, b" ") + bytes(94) + bytes([17])
    path.write_bytes(path.read_bytes() + id3v1)
    assert read_tags(path).genres == ("Rock",)
    write(path, NewTags(Evidence("ab" * 32, "", (), ("jazz",))))
    assert path.read_bytes()[-128:] == id3v1[:-1] + bytes([8])
    assert str(ID3(path, load_v1=False)["TIT2"]) == "Café"
    write(path, NewTags(Evidence("ab" * 32, "", (), ("grime",))))
    assert path.read_bytes()[-128:] == id3v1[:-1] + bytes([255])


def test_id3_other_frames_stay(music: Path) -> None:
    """Pictures, comments, own and unknown frames stay the same."""
    path = music / "song.mp3"
    tags = ID3()
    tags.add(APIC(encoding=0, mime="image/png", type=3, desc="front", data=PICTURE))
    tags.add(COMM(encoding=3, lang="deu", desc="", text=["mein Kommentar"]))
    tags.add(TXXX(encoding=1, desc="MOOD", text=["Ωmega"]))
    tags.unknown_frames.append(b"XYZZ\0\0\0\x05\0\0hello")
    tags.save(path)
    before = {key: repr(frame) for key, frame in ID3(path).items()}
    write(path, NewTags(NEW.evidence, "genre-edge: rock 70%"))
    after = {key: repr(frame) for key, frame in ID3(path).items()}
    del after["TCON"], after["TXXX:GENRE_EDGE"]
    assert after == before  # also no comment of ours beside the user's
    assert ID3(path).unknown_frames == [b"XYZZ\0\0\0\x05\0\0hello"]


@pytest.mark.parametrize("suffix", ["flac", "ogg", "opus", "oga"])
def test_vorbis_one_comment_for_each_value(suffix: str, music: Path) -> None:
    """There is one GENRE for each value; other comments, vendor and pictures stay."""
    path = music / f"song.{suffix}"
    media = mutagen.File(path)
    if media.tags is None:
        media.add_tags()
    for pair in (("Artist", "A"), ("ARTIST", "B"), ("genre", "old"), ("Title", "T")):
        media.tags.append(pair)
    if isinstance(media, FLAC):
        picture = Picture()
        picture.data = PICTURE
        media.add_picture(picture)
    media.save()
    others = [pair for pair in mutagen.File(path).tags if pair[0] != "genre"]
    assert read_tags(path).genres == ("old",)
    write(path)
    after = mutagen.File(path)
    ours = [("GENRE", GENRES[0]), ("GENRE", GENRES[1]), ("GENRE_EDGE", NEW.evidence.to_text())]
    assert list(after.tags) == [*others, *ours]
    assert after.tags.vendor == media.tags.vendor
    if isinstance(after, FLAC):
        assert [each.data for each in after.pictures] == [PICTURE]


def test_flac_behind_id3v2(music: Path) -> None:
    """A FLAC file with an ID3v2 tag in front gets Vorbis comments, too."""
    path = music / "song.flac"
    tag = b"ID3\x03\0\0\0\0\0\x0a" + bytes(10)
    path.write_bytes(tag + path.read_bytes())
    write(path)
    assert path.read_bytes().startswith(tag)
    assert genres_by_mutagen(path) == list(GENRES)


def test_mp4_several_values_and_no_number(music: Path) -> None:
    """The genres are several values of one ©gen; a gnre is read as a name and removed; pictures and own fields stay."""
    path = music / "song.m4a"
    media = MP4(path)
    media["covr"] = [MP4Cover(PICTURE)]
    media["----:com.apple.iTunes:MOOD"] = [b"calm"]
    media["\xa9gen"] = ["#"]
    media.save()
    number = b"\0\0\0\x1agnre\0\0\0\x12data\0\0\0\0\0\0\0\0\0\x12"  # 18 - 1 = 17, Rock
    content = path.read_bytes()
    old = b"\0\0\0\x19\xa9gen\0\0\0\x11data\0\0\0\1\0\0\0\0#"
    assert old in content
    at = content.index(b"free", content.index(old)) - 4
    room = int.from_bytes(content[at : at + 4], "big") - 1
    changed = content[:at].replace(old, number) + room.to_bytes(4, "big") + b"free" + content[at + 9 :]
    ilst = changed.index(b"ilst") - 4
    size = int.from_bytes(changed[ilst : ilst + 4], "big") + 1
    path.write_bytes(changed[:ilst] + size.to_bytes(4, "big") + changed[ilst + 4 :])
    assert read_tags(path).genres == ("Rock",)
    write(path)
    after = MP4(path)
    assert after["\xa9gen"] == list(GENRES)
    assert b"gnre" not in path.read_bytes()
    assert (after["covr"], after["----:com.apple.iTunes:MOOD"]) == ([PICTURE], [b"calm"])
    assert path.read_bytes().count(b"\xa9gen") == 1


@pytest.mark.parametrize("suffix", FORMATS)
def test_comment_for_dj_software(suffix: str, music: Path) -> None:
    """A comment is written where there is none but ours."""
    path = music / f"song.{suffix}"
    write(path, NewTags(NEW.evidence, "genre-edge: pop 50%"))
    write(path, NewTags(NEW.evidence, "genre-edge: rock 70%"))
    content = path.read_bytes()
    assert content.count(b"genre-edge: rock 70%") == 1
    assert b"genre-edge: pop 50%" not in content


def test_ape_genre_of_mp3(music: Path) -> None:
    """The genre of an APEv2 tag counts as set by somebody, and a new genre replaces it: players may read it first."""
    path = music / "song.mp3"
    ape = APEv2()
    ape["Genre"] = ["Polka", "Folk"]
    ape["Artist"] = "A"
    ape.save(path)
    assert read_tags(path).genres == ("Polka", "Folk")
    write(path)
    assert read_tags(path).genres == GENRES
    assert list(APEv2(path)["Genre"]) == list(GENRES)
    assert str(APEv2(path)["Artist"]) == "A"


def test_info_genre_of_wav(music: Path) -> None:
    """The genre of a WAV's INFO list counts as set by somebody."""
    path = music / "song.wav"
    info = b"LIST" + (18).to_bytes(4, "little") + b"INFOIGNR" + (6).to_bytes(4, "little") + b"Polka\0"
    content = path.read_bytes() + info
    path.write_bytes(content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:])
    assert read_tags(path).genres == ("Polka",)


def test_album_is_read(music: Path) -> None:
    """The name of the album is read, for the votes of albums."""
    tags = ID3()
    tags.add(TALB(encoding=0, text=["The album"]))
    tags.save(music / "song.mp3")
    media = FLAC(music / "song.flac")
    media["album"] = "The album"
    media.save()
    m4a = MP4(music / "song.m4a")
    m4a["\xa9alb"] = "The album"
    m4a.save()
    assert {read_tags(music / f"song.{suffix}").album for suffix in ("mp3", "flac", "m4a")} == {"The album"}


def test_damaged_tags(music: Path) -> None:
    """Tags that mutagen cannot read are a TagError; a format without tags is an UntaggableError."""
    path = music / "song.flac"
    content = path.read_bytes()
    at = content.index(b"reference libFLAC") - 4
    path.write_bytes(content[:at] + b"\xff\xff\xff\x7f" + content[at + 4 :])
    with pytest.raises(TagError):
        read_tags(path)
    (music / "song.au").write_bytes(b".snd" + bytes(100))
    with pytest.raises(UntaggableError, match="format"):
        read_tags(music / "song.au")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "1", '{"model":1}', '{"top":[]}', "[" * 9999, "x" * 20_000])
def test_evidence_of_others(text: str) -> None:
    """A field that is not ours is no evidence, and no error."""
    assert Evidence.from_text(text) is None
