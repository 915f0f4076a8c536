"""Digests of audio: equal whatever the tags are, different for other audio, and for no content a crash."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.library.tagging.audio_bytes import audio_digest, sampled_digest
from genre_edge.library.tagging.evidence import Evidence
from genre_edge.library.tagging.formats import write_open
from genre_edge.library.tagging.payload import find_payload
from genre_edge.library.tagging.tags import NewTags
from tests.helpers.tagging import FORMATS, add_long_comment, decode

CONTAINERS = {"mp3": "mp3", "flac": "flac", "m4a": "mp4", "wav": "wav", "aiff": "aiff"}  # all others are Ogg
NEW = NewTags(Evidence("ab" * 32, "2026-11-29", (("rock", 0.7),), ("rock", "pop")))


@pytest.mark.parametrize("suffix", FORMATS)
def test_digests_same_after_tagging(suffix: str, music: Path) -> None:
    """Neither digest changes with new tags, nor with tags of 100 kB, which move all audio and number Ogg pages anew."""
    path = music / f"song.{suffix}"
    before, samples = (audio_digest(path), sampled_digest(path)), decode(path)
    for change in (lambda file: write_open(file, NEW), add_long_comment):
        with path.open("r+b") as file:
            change(file)
        assert (audio_digest(path), sampled_digest(path)) == before
    assert path.stat().st_size > 100_000
    assert decode(path) == samples


@pytest.mark.parametrize("suffix", FORMATS)
def test_container_of_format(suffix: str, music: Path) -> None:
    """Each format is recognised by its content."""
    with (music / f"song.{suffix}").open("rb") as file:
        assert find_payload(file.fileno()).container == CONTAINERS.get(suffix, "ogg")


@pytest.mark.parametrize("suffix", FORMATS)
def test_audio_digest_of_other_audio(suffix: str, music: Path) -> None:
    """One other byte anywhere in the audio is noticed, and so is a missing last byte."""
    path = music / f"song.{suffix}"
    content, before = path.read_bytes(), audio_digest(path)
    with path.open("rb") as file:
        ranges = [item for item in find_payload(file.fileno()).items() if not isinstance(item, bytes)]
    generator = random.Random(0)
    for start, end in generator.choices([each for each in ranges if each[1] - each[0] > 8], k=20):
        at = generator.randrange(start, end)
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert audio_digest(path) != before, at
    path.write_bytes(content[: ranges[-1][1] - 1])
    assert audio_digest(path) != before


def test_audio_digest_wrong_chunk_offset(music: Path) -> None:
    """An m4a whose table of offsets does not move with its audio counts as changed."""
    path = music / "song.m4a"
    before, content = audio_digest(path), path.read_bytes()
    at = content.index(b"stco") + 12
    offset = int.from_bytes(content[at : at + 4], "big") + 1
    path.write_bytes(content[:at] + offset.to_bytes(4, "big") + content[at + 4 :])
    assert audio_digest(path) != before


def test_audio_digest_mp3_tags_at_both_ends(music: Path) -> None:
    """ID3v2 twice in front, and APEv2, Lyrics3 and ID3v1 behind, are no audio."""
    path = music / "song.mp3"
    content = path.read_bytes()
    before = audio_digest(path), sampled_digest(path)
    id3v2 = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little") + bytes(16)
    path.write_bytes(id3v2 * 2 + content + ape + b"LYRICSBEGIN000011LYRICS200" + b"TAG" + bytes(125))
    assert (audio_digest(path), sampled_digest(path)) == before


def test_sampled_digest_notices_length_and_samples(tmp_path: Path, music: Path) -> None:
    """A long file's digest changes with its length, and with the bytes of a sample."""
    path = music / "song.wav"
    content = path.read_bytes()
    long = content + bytes(1 << 21)  # the data chunk ends before it: not audio
    path.write_bytes(long)
    before = sampled_digest(path)
    start = content.index(b"data") + 8
    path.write_bytes(content[:start] + b"\x7f" + long[start + 1 :])
    assert sampled_digest(path) != before
    path.write_bytes(content[:-2])
    assert sampled_digest(path) != before


@pytest.mark.parametrize("suffix", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_digests_of_damaged_files(suffix: str, audio_files: dict[str, bytes], data: st.DataObject) -> None:
    """Damage anywhere, such as a false length, is no error: the digests are those of what is found."""
    content = bytearray(audio_files[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(content) - 1, 4096)))
        patch = data.draw(st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1"]))
        content[at : at + 4] = patch
    del content[data.draw(st.integers(0, len(content))) :]
    path = Path(f"/proc/self/fd/{_memory_file(bytes(content))}")
    try:
        assert len(audio_digest(path)) == len(sampled_digest(path)) == 40
    finally:
        os.close(int(path.name))


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("damaged")
    os.write(descriptor, content)
    return descriptor


def test_digests_of_no_file(tmp_path: Path) -> None:
    """A missing file and a pipe are OSErrors, at once."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "missing"):
        for digest in (audio_digest, sampled_digest):
            with pytest.raises(OSError, match=r"regular file|No such file"):
                digest(tmp_path / name)


@pytest.mark.parametrize("magic", [b"\x1aE\xdf\xa3", b"caff", b".snd", b"RIFF", b"OggS"])
def test_other_containers_are_not_mp3(magic: bytes, audio_files: dict[str, bytes], tmp_path: Path) -> None:
    """MPEG frames inside of another container make no mp3: a tag in front of it would damage the file."""
    path = tmp_path / "song.mka"
    path.write_bytes(magic + bytes(60) + audio_files["mp3"])
    with path.open("rb") as file:
        assert find_payload(file.fileno()).container == ""
