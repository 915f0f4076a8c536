"""The environment that speeds depend on: the machine, Python and the core's libraries."""

import platform
from contextlib import suppress
from typing import Any

from genre_edge.errors import GenreEdgeError
from genre_edge.mel import _logmel, fftw
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.system import machine


def describe() -> dict[str, Any]:
    """Return the facts that a benchmark depends on.

    Keys: "processor", "os", "python", "lanes" (floats in the core's SIMD vectors), "fftw" (version, or None).
    """
    with suppress(GenreEdgeError):
        fftw.ensure_loaded()
    return {
        "processor": machine.processor(),
        "os": machine.operating_system(),
        "python": platform.python_version(),
        "lanes": MelSpectrogram().lanes,
        "fftw": _logmel.fftw_version(),
    }
