"""Deltas restore the old file exactly, in little space."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutagen.id3 import APIC, ID3

from genre_edge.library.tagging import delta as module
from genre_edge.library.tagging.delta import apply_delta, make_delta
from genre_edge.library.tagging.evidence import Evidence
from genre_edge.library.tagging.formats import write_open
from genre_edge.library.tagging.tags import NewTags, TagError
from tests.helpers.tagging import FORMATS, add_long_comment

NEW = NewTags(Evidence("ab" * 32, "2026-11-29", (), ("rock",)))


def round_trip(old: bytes, new: bytes) -> tuple[bytes, int]:
    """Return what the delta restores, and the size of the delta."""
    descriptors = [os.memfd_create(name) for name in ("old", "new")]
    try:
        for descriptor, content in zip(descriptors, (old, new), strict=True):
            os.write(descriptor, content)
        delta = make_delta(*descriptors)
        return b"".join(apply_delta(delta, descriptors[1])), len(delta)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@settings(max_examples=200, deadline=None)
@given(old=st.binary(max_size=600), new=st.binary(max_size=600), common=st.binary(min_size=64, max_size=400))
def test_delta_of_any_tags(old: bytes, new: bytes, common: bytes, audio_files: dict[str, bytes]) -> None:
    """Any bytes in front of the audio are restored from any others, whatever they have in common."""

    def with_tag(content: bytes) -> bytes:
        size = bytes([len(content) >> 7, len(content) & 127])
        return b"ID3\x04\0\0\0\0" + size + content + audio_files["mp3"]

    for before, after in ((old, new), (old + common, common + new), (common, common), (old + common + old, common)):
        assert round_trip(with_tag(before), with_tag(after))[0] == with_tag(before)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("n_comments", [0, 1])
def test_delta_of_tagging(suffix: str, n_comments: int, music: Path) -> None:
    """Old tags, long or none, are restored; the delta is small against the audio, also if Ogg pages get new numbers."""
    path = music / f"song.{suffix}"
    if n_comments:
        with path.open("r+b") as file:
            add_long_comment(file)
    old = path.read_bytes()
    with path.open("r+b") as file:
        write_open(file, NEW)
    restored, size = round_trip(old, path.read_bytes())
    assert restored == old
    assert size < 1000


def test_delta_ogg_pages_with_new_numbers(music: Path) -> None:
    """If all Ogg pages get new numbers and checksums, the delta holds these and no audio."""
    path = music / "song.ogg"
    old = path.read_bytes()
    with path.open("r+b") as file:
        add_long_comment(file)
    restored, size = round_trip(old, path.read_bytes())
    assert restored == old
    assert size < len(old) / 4


def test_delta_copies_moved_pictures(music: Path) -> None:
    """A picture that moves to another place among the tags is not in the delta."""
    path = music / "song.mp3"
    picture = random.Random(0).randbytes(300_000)
    tags = ID3()
    tags.add(APIC(encoding=0, mime="image/png", type=3, desc="", data=picture))
    tags.save(path)
    old = path.read_bytes()
    assert old.index(b"APIC") < 20
    with path.open("r+b") as file:
        write_open(file, NEW)
    restored, size = round_trip(old, path.read_bytes())
    assert restored == old
    assert size < 1000


def test_delta_limits_size_of_tags(monkeypatch: pytest.MonkeyPatch, music: Path) -> None:
    """Tags too large for the memory are refused."""
    monkeypatch.setattr(module, "MAX_TAG_BYTES", 1 << 20)
    content = (music / "song.flac").read_bytes()
    padding = b"\x01" + (2 << 20).to_bytes(3, "big") + bytes(2 << 20)
    at = 4 + 4 + 34
    with pytest.raises(TagError, match="larger than 1 MiB"):
        round_trip(content[:at] + padding + content[at:], content)


@pytest.mark.parametrize("delta", [b"", b"x", b"\x78\x9cshort"])
def test_apply_delta_damaged(delta: bytes) -> None:
    """A damaged delta is a TagError."""
    descriptor = os.memfd_create("new")
    try:
        with pytest.raises(TagError, match="damaged"):
            list(apply_delta(delta, descriptor))
    finally:
        os.close(descriptor)
