"""Length of truncated AVI, DSF and SoX files, whose headers ffmpeg does not compare with the file."""

import os
import struct

from genre_edge.audio.containers.layout import Layout

_MAX_HEADER = 1 << 12


def scan(descriptor: int, size: int) -> Layout | None:
    """Return the length of a truncated file; None for other files and complete ones.

    Args:
        descriptor: open file descriptor; its position is not changed.
        size: size of the file in bytes.
    """
    head = os.pread(descriptor, _MAX_HEADER, 0)
    for signature, read_header in ((b"RIFF", _avi), (b"DSD ", _dsf), (b".SoX", _sox)):
        if head.startswith(signature):
            try:
                declared_size, expected_s = read_header(head)
            except (struct.error, ZeroDivisionError):
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
