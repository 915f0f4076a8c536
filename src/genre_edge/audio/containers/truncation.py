"""Length of truncated AVI, DSF, SoX, NIST and VOC files, whose headers the decoders do not compare with the file."""

import os
import re
import struct

from genre_edge.audio.containers.layout import Layout

_MAX_HEADER = 1 << 12
_NIST_HEADER = 1024
_VOC_SOUND, _VOC_FORMAT = 9, 12  # type of a block with its format, and the size of that


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the length of a truncated file; None for other files and complete ones.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    head = os.pread(descriptor, _MAX_HEADER, 0)
    for signature, read_header in _READERS.items():
        if head.startswith(signature):
            try:
                declared_size, expected_s = read_header(head)
            except (struct.error, ZeroDivisionError, KeyError):
                return None
            if size >= declared_size or not 0 < expected_s < float("inf"):
                return None
            return Layout(available_s=expected_s * size / declared_size, expected_s=expected_s)
    return None


def _avi(head: bytes) -> tuple[int, float]:
    """Return size of the file in bytes and length in seconds: those of the picture, which the sound follows."""
    at = head.find(b"avih")
    if head[8:12] != b"AVI " or at < 0:
        return 0, 0.0
    frame_us, n_frames = struct.unpack_from("<I12xI", head, at + 8)
    return 8 + struct.unpack_from("<I", head, 4)[0], frame_us * n_frames / 1e6


def _dsf(head: bytes) -> tuple[int, float]:
    size, rate, n_samples = struct.unpack_from("<12xQ36xI4xQ", head)
    return size, n_samples / rate


def _sox(head: bytes) -> tuple[int, float]:
    header_size, n_samples, rate, channels = struct.unpack_from("<4xIQdI", head)
    return header_size + 4 * n_samples, n_samples / channels / rate


def _nist(head: bytes) -> tuple[int, float]:
    values = {name: int(value) for name, value in re.findall(rb"(\w+) -i (\d{1,15})\n", head)}
    n_bytes = values[b"sample_count"] * values[b"channel_count"] * values[b"sample_n_bytes"]
    return _NIST_HEADER + n_bytes, values[b"sample_count"] / values[b"sample_rate"]


def _voc(head: bytes) -> tuple[int, float]:
    at = struct.unpack_from("<20xH", head)[0]
    block, rate, bits, channels = struct.unpack_from("<IIBB", head, at)
    n_bytes, kind = (block >> 8) - _VOC_FORMAT, block & 0xFF
    return (at + 4 + _VOC_FORMAT + n_bytes, n_bytes / (rate * channels * bits / 8)) if kind == _VOC_SOUND else (0, 0.0)


_READERS = {b"RIFF": _avi, b"DSD ": _dsf, b".SoX": _sox, b"NIST_1A\n   1024\n": _nist, b"Creative Voice File\x1a": _voc}
