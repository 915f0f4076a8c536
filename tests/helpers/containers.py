"""Decoding of audio files by the layout that their headers give, and of the same bytes from a pipe."""

import io
import os
import tempfile
from collections.abc import Callable

import numpy as np
import soundfile

from genre_edge.audio.block import to_mono
from genre_edge.audio.containers.header import scan_header
from genre_edge.audio.containers.layout import Layout, PartView
from genre_edge.audio.pipe import WavSource
from tests.helpers.audio import Samples, read_samples


def layout_of(content: bytes, scan: Callable[[int, int], Layout | None] = scan_header) -> Layout | None:
    """Return what a scan says of a file with the given bytes."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return scan(file.fileno(), len(content))


def read_file(content: bytes) -> tuple[Samples, Layout]:
    """Decode a file's bytes by their layout; return mono samples and the layout."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        layout = scan_header(file.fileno(), os.fstat(file.fileno()).st_size)
        assert layout is not None
        views = [PartView(file.fileno(), part) for part in layout.parts] or [io.BytesIO(content)]
        parts = [to_mono(soundfile.read(view, dtype="float32", always_2d=True)[0]) for view in views]
        return np.concatenate(parts), layout


def read_pipe(content: bytes) -> Samples:
    """Decode a WAV's bytes as from a pipe."""
    return read_samples(WavSource(io.BytesIO(content), "pipe"))
