"""Where the audio of an AU (SND) file lies."""

import struct

from genre_edge.audio.containers.extent import find_extent
from genre_edge.audio.containers.file_bytes import Peek
from genre_edge.audio.containers.layout import Layout

_HEADER_SIZE = 24
_MAX_SIZE, _UNKNOWN = 1 << 31, 0xFFFFFFFF  # libsndfile reads no audio of a size between them
# encoding -> bytes per sample: mu-law, integers of 8 to 32 bits, floats, A-law
_SAMPLE_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}


def scan_au(peek: Peek, size: int) -> Layout | None:
    """Find the audio of an AU file of `size` bytes; None if the header is damaged or the file holds no audio."""
    header = peek(0, _HEADER_SIZE)
    if len(header) < _HEADER_SIZE:
        return None
    order = ">" if header[:4] == b".snd" else "<"
    offset, declared, encoding, rate, channels = struct.unpack(order + "5I", header[4:])
    start = max(offset, _HEADER_SIZE)
    if start >= size:
        return None
    extent = find_extent(peek, size, start, None if declared == _UNKNOWN else declared, lambda _: None, wraps=True)
    is_read_wrong = start + declared >= _MAX_SIZE and declared != _UNKNOWN
    is_regular = extent.is_as_declared and start == offset and not is_read_wrong
    repaired = None if is_regular else au_header(order, encoding, rate, channels, extent.end - start)
    return extent.layout(rate * channels * _SAMPLE_BYTES.get(encoding, 0), repaired)


def au_header(order: str, encoding: int, rate: int, channels: int, n_bytes: int) -> bytes:
    """Return an AU header up to the audio, in byte order "<" or ">"."""
    stated = n_bytes if _HEADER_SIZE + n_bytes < _MAX_SIZE else _UNKNOWN
    magic = b".snd" if order == ">" else b"dns."
    return magic + struct.pack(order + "5I", _HEADER_SIZE, stated, encoding, rate, channels)
