"""Digests of a file's audio without its tags: two files with the same digest differ in their tags only."""

import hashlib
import os
from pathlib import Path

from genre_edge.audio.containers.file_bytes import file_peek
from genre_edge.audio.containers.layout import Range
from genre_edge.library.tagging.ogg_payload import mask_numbers
from genre_edge.library.tagging.payload import Payload, find_payload
from genre_edge.system.regular_file import open_regular

N_SAMPLES, SAMPLE_BYTES = 16, 1 << 16
_DIGEST_BYTES = 20
_READ_BYTES = 1 << 20


def audio_digest(path: Path) -> str:
    """Return the BLAKE2b digest (hexadecimal) of all audio of a file: the same before and after tagging.

    A file that is in no known container, or too damaged, counts as a whole.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
    """
    with open_regular(path) as file:
        return payload_digest(file.fileno())


def payload_digest(descriptor: int) -> str:
    """Return the `audio_digest` of an open file, whose position is not changed. Raises OSError."""
    peek = file_peek(descriptor, os.fstat(descriptor).st_size)
    payload = find_payload(descriptor)
    digest = _new_digest(payload)
    for item in payload.items():
        if isinstance(item, bytes):
            digest.update(item)
            continue
        for at in range(item[0], item[1], _READ_BYTES):
            digest.update(peek(at, min(_READ_BYTES, item[1] - at)))
    return digest.hexdigest()


def sampled_digest(path: Path) -> str:
    """Return a digest (hexadecimal) of the length of a file's audio and of 16 samples of 64 KiB.

    It costs 1 MiB of reading, so that scans notice files that were moved or tagged. It does not notice other audio
    between the samples.

    Raises:
        OSError: the file cannot be read, or is not a regular file.
    """
    with open_regular(path) as file:
        descriptor = file.fileno()
        peek = file_peek(descriptor, os.fstat(descriptor).st_size)
        payload = find_payload(descriptor)
        length = sum(end - start for start, end in payload.samples)
        digest = _new_digest(payload)
        digest.update(length.to_bytes(8, "little"))
        step = max(SAMPLE_BYTES, (length - SAMPLE_BYTES) // (N_SAMPLES - 1))
        for at in range(0, length, step)[:N_SAMPLES]:
            content = b"".join(
                peek(start, end - start) for start, end in _slice(payload.samples, at, min(length, at + SAMPLE_BYTES))
            )
            digest.update(mask_numbers(content) if payload.container == "ogg" else content)
        return digest.hexdigest()


def _new_digest(payload: Payload) -> "hashlib.blake2b":
    return hashlib.blake2b(payload.container.encode(), digest_size=_DIGEST_BYTES)


def _slice(ranges: tuple[Range, ...], first: int, end: int) -> list[Range]:
    """Return the ranges of the file that hold the bytes `first` to `end` of joined ranges."""
    parts, position = [], 0
    for start, stop in ranges:
        low, high = max(first - position, 0), min(end - position, stop - start)
        if low < high:
            parts.append((start + low, start + high))
        position += stop - start
    return parts
