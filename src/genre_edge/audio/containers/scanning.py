"""Recognition of a file's container by its content."""

import os
from pathlib import Path

from genre_edge.audio.containers.header import scan_header
from genre_edge.audio.containers.layout import Layout
from genre_edge.audio.containers.tags import after_id3v2
from genre_edge.audio.suffixes import FFMPEG_SUFFIXES

# The first bytes of files that libsndfile does not support and ffmpeg does
_FFMPEG_SIGNATURES = (
    *(b"\x1aE\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"wvpk", b"MAC ", b"MPCK", b"MP+", b"TTA1"),
    *(
        b"\x0bw",
        b"#!AMR",
        b".RMF",
        b"\x00\x00\x01\xba",
        b"DSD ",
        b"FRM8",
        b"tBaK",
        b"ajkg",
        b"\x7f\xfe\x80\x01",
        b"OggS",
    ),
)


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the layout of a file; None if its structure is not known here.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    if is_mpeg_film(descriptor):
        return None
    layout = scan_header(descriptor, size)
    if layout is not None:
        return layout
    # Imported here, because a WAV file needs none of them, and they are a fifth of the package.
    from genre_edge.audio.containers import asf, flac, mpeg, ogg, truncation

    for scan_container in (ogg.scan, flac.scan, asf.scan, truncation.scan, mpeg.scan):
        layout = scan_container(descriptor, size)
        if layout is not None:
            return layout
    return None


def needs_ffmpeg(descriptor: int, path: Path) -> bool:
    """Return True if a file that libsndfile does not support looks like one that ffmpeg decodes."""
    head = os.pread(descriptor, 192, after_id3v2(descriptor, 0))
    return (
        path.suffix.lower() in FFMPEG_SUFFIXES
        or head.startswith(_FFMPEG_SIGNATURES)
        or head[4:8] in (b"ftyp", b"moov", b"mdat")
        or (head[:4], head[8:12]) == (b"RIFF", b"AVI ")
        or head[:1] + head[188:189] == b"GG"  # packets of an MPEG transport stream
        or starts_like_mpeg(descriptor)
    )


def is_mpeg_film(descriptor: int) -> bool:
    """Return True for an MPEG program stream: packets of picture and sound, in which libmpg123 finds frames, too."""
    return os.pread(descriptor, 4, 0) == b"\x00\x00\x01\xba"


def starts_like_mpeg(descriptor: int) -> bool:
    """Return True if a file starts with the synchronisation bits of MPEG audio, which AAC (ADTS) has, too."""
    head = os.pread(descriptor, 2, after_id3v2(descriptor, 0))
    return len(head) == 2 and head[0] == 0xFF and head[1] >= 0xE0
