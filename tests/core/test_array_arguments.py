"""Arrays of any kind: each function works, or raises an error that names the argument."""

import ctypes
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from genre_edge import mfcc, power_to_db
from genre_edge.errors import ParameterError
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from tests.helpers.mel import noise

SPECTROGRAM = MelSpectrogram(MelConfig(sr=8000, n_fft=256, hop_length=128, n_mels=16))
SAMPLES = noise(1500)


def unaligned(array: np.ndarray) -> np.ndarray:
    """Return a copy at an odd address."""
    copy = np.frombuffer(bytearray(array.nbytes + 1), dtype=array.dtype, offset=1, count=array.size)
    copy[:] = array.ravel(order="K")
    return copy.reshape(array.shape, order="F" if array.flags.f_contiguous else "C")


def in_structure(array: np.ndarray) -> np.ndarray:
    """Return a copy as a field of packed records: neither contiguous nor aligned."""
    records = np.zeros(array.shape, dtype=[("tag", "u1"), ("value", array.dtype)])
    records["value"] = array
    return records["value"]


def read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


class Subclass(np.ndarray):
    """A subclass of numpy's array."""


class Convertible:
    """An object that numpy can convert."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return SAMPLES


SAME: dict[str, Callable[[], Any]] = {
    "unaligned": lambda: unaligned(SAMPLES),
    "unaligned memoryview": lambda: memoryview(unaligned(SAMPLES)),
    "cast memoryview": lambda: memoryview(b"-" + SAMPLES.tobytes())[1:].cast("f"),
    "unaligned float64": lambda: unaligned(SAMPLES.astype(np.float64)),
    "structured": lambda: in_structure(SAMPLES),
    "strided": lambda: np.repeat(SAMPLES, 3)[::3],
    "reversed": lambda: SAMPLES[::-1].copy()[::-1],
    "column": lambda: np.stack([SAMPLES, SAMPLES], axis=1)[:, 0],
    "read-only": lambda: read_only(SAMPLES),
    "bytes": lambda: np.frombuffer(SAMPLES.tobytes(), np.float32),
    "big-endian": lambda: SAMPLES.astype(">f4"),
    "big-endian float64": lambda: SAMPLES.astype(">f8"),
    "float64": lambda: SAMPLES.astype(np.float64),
    "longdouble": lambda: SAMPLES.astype(np.longdouble),
    "list": lambda: SAMPLES.tolist(),
    "subclass": lambda: SAMPLES.view(Subclass),
    "nothing masked": lambda: np.ma.masked_array(SAMPLES, mask=False),
    "ctypes": lambda: (ctypes.c_float * len(SAMPLES))(*SAMPLES),
    "convertible": Convertible,
}


def raising(error: Exception) -> Any:
    class Raising:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            raise error

    return Raising()


WRONG: dict[str, Any] = {
    "scalar": np.float32(1),
    "0-d": np.array(1.0),
    "2-d": np.zeros((2, 3), np.float32),
    "integers": np.zeros(9, np.int16),
    "complex": np.zeros(9, np.complex64),
    "booleans": np.zeros(9, bool),
    "objects": np.array([1.0, None]),
    "text": "samples",
    "bytes": b"samples.",
    "dates": np.zeros(9, "M8[s]"),
    "records": np.zeros(9, [("a" * 500, "f4"), ("\n", "f4")]),
    "ragged": [[1.0], [1.0, 2.0]],
    "None": None,
    "generator": (x for x in (1.0, 2.0)),
    "masked": np.ma.masked_array(np.zeros(9, np.float32), mask=[True] + [False] * 8),
    "TypeError": raising(TypeError("two\nlines" * 500)),
    "RuntimeError": raising(RuntimeError("tensor requires grad")),
    "NaN": np.full(9, np.nan, np.float32),
    "beyond float32": np.full(9, 1e300),
}

TAKES_SAMPLES: dict[str, Callable[[Any], Any]] = {
    "db": SPECTROGRAM.db,
    "mel": SPECTROGRAM.mel,
    "mfcc": lambda y: SPECTROGRAM.mfcc(y, 5),
    "push": lambda y: SPECTROGRAM.stream().push(y),
    "push out": lambda y: SPECTROGRAM.stream().push(y, np.empty((16, 20), np.float32, order="F")),
}


@pytest.mark.parametrize("function", TAKES_SAMPLES)
@pytest.mark.parametrize("kind", SAME)
def test_samples_any_layout(kind: str, function: str) -> None:
    """The same samples in another layout give the same bits."""
    call = TAKES_SAMPLES[function]
    assert np.array_equal(call(SAME[kind]()), call(SAMPLES))


def test_samples_half_precision() -> None:
    """float16 is converted."""
    half = SAMPLES.astype(np.float16)
    assert np.array_equal(SPECTROGRAM.db(half), SPECTROGRAM.db(half.astype(np.float32)))


@pytest.mark.parametrize("function", TAKES_SAMPLES)
@pytest.mark.parametrize("kind", WRONG)
def test_samples_wrong_kind(kind: str, function: str) -> None:
    """Anything else is a short error of one line about the samples."""
    with pytest.raises(ParameterError, match=r"^(y |sample 0 is )") as caught, np.errstate(all="raise"):
        TAKES_SAMPLES[function](WRONG[kind])
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["0-size", "strided", "unaligned"])
def test_samples_empty(kind: str) -> None:
    """No samples are no frames, in any layout."""
    empty = {"0-size": SAMPLES[:0], "strided": SAMPLES[:0:3], "unaligned": unaligned(SAMPLES[:0])}[kind]
    assert SPECTROGRAM.stream().push(empty).shape == (16, 0)
    assert np.array_equal(SPECTROGRAM.db(empty), SPECTROGRAM.db(SAMPLES[:0]))


OUT = np.zeros((16, 20), np.float32, order="F")
WRONG_OUT: dict[str, Any] = {
    "unaligned": unaligned(OUT),
    "read-only": read_only(OUT),
    "C order": np.zeros((16, 20), np.float32),
    "strided": np.zeros((16, 40), np.float32, order="F")[:, ::2],
    "float64": np.zeros((16, 20), order="F"),
    "big-endian": np.zeros((16, 20), ">f4", order="F"),
    "structured": in_structure(OUT),
    "1-d": np.zeros(320, np.float32),
    "too small": OUT[:, :1],
    "wrong bands": np.zeros((17, 20), np.float32, order="F"),
    "a list": [[0.0]],
    "a number": 5,
    "bytes": bytearray(16 * 20 * 4),
}


@pytest.mark.parametrize("kind", WRONG_OUT)
@pytest.mark.parametrize("layout", ["plain", "unaligned", "list"])
def test_push_wrong_out(kind: str, layout: str) -> None:
    """A wrong `out` is an error that names it, whatever the layout of the samples; the stream goes on."""
    stream = SPECTROGRAM.stream()
    y = {"plain": SAMPLES, "unaligned": unaligned(SAMPLES), "list": SAMPLES.tolist()}[layout]
    with pytest.raises(ParameterError, match=r"^out must "):
        stream.push(y, WRONG_OUT[kind])
    assert np.array_equal(stream.push(SAMPLES), SPECTROGRAM.stream().push(SAMPLES))


def test_core_refuses_unaligned() -> None:
    """The binding itself accepts no unaligned buffer, which C code could not read on every processor."""
    core = SPECTROGRAM.stream()._core
    with pytest.raises(TypeError):
        core.push(memoryview(b"-" + SAMPLES.tobytes())[1:].cast("f"))


DB = SPECTROGRAM.db(SAMPLES)
TAKES_FRAMES: dict[str, Callable[[Any], Any]] = {
    "mfcc_of_db": lambda db: SPECTROGRAM.mfcc_of_db(db, 5),
    "mfcc": lambda S: mfcc(S=S, n_mfcc=5),
    "power_to_db": power_to_db,
}
FRAMES_LAYOUT: dict[str, Callable[[], Any]] = {
    "unaligned": lambda: unaligned(DB),
    "structured": lambda: in_structure(DB),
    "C order": lambda: np.ascontiguousarray(DB),
    "read-only": lambda: read_only(DB),
    "big-endian": lambda: DB.astype(">f4"),
    "float64": lambda: DB.astype(np.float64),
    "longdouble": lambda: DB.astype(np.longdouble),
    "list": lambda: DB.tolist(),
    "subclass": lambda: DB.view(Subclass),
}


@pytest.mark.parametrize("function", TAKES_FRAMES)
@pytest.mark.parametrize("kind", FRAMES_LAYOUT)
def test_frames_any_layout(kind: str, function: str) -> None:
    """The same frames in another layout give the same bits."""
    call = TAKES_FRAMES[function]
    assert np.array_equal(call(FRAMES_LAYOUT[kind]()), call(DB))


WRONG_FRAMES: dict[str, Any] = {
    name: WRONG[name] for name in ("complex", "objects", "text", "records", "ragged", "None", "masked", "TypeError")
}


@pytest.mark.parametrize("function", TAKES_FRAMES)
@pytest.mark.parametrize("kind", WRONG_FRAMES)
def test_frames_wrong_kind(kind: str, function: str) -> None:
    """Anything else is an error that names the argument as the caller knows it."""
    name = {"mfcc_of_db": "db", "mfcc": "S|either y or S", "power_to_db": "S"}[function]
    with pytest.raises(ParameterError, match=f"^({name}) ") as caught:
        TAKES_FRAMES[function](WRONG_FRAMES[kind])
    assert len(str(caught.value)) < 400 and "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(), (5,), (0, 3), (70_000, 0), (2, 3, 4)])
def test_mfcc_of_wrong_shape(shape: tuple[int, ...]) -> None:
    """A spectrogram of the wrong shape is an error about `S`, not about a parameter that the caller did not pass."""
    with pytest.raises(ParameterError, match=re.escape(f"S must be (n_mels, k) floating point, got {shape}")):
        mfcc(S=np.zeros(shape, np.float32))
    with pytest.raises(ParameterError, match="S must be finite"):
        mfcc(S=np.full((40, 3), 1e300))


@pytest.mark.parametrize(
    "value", [10**5000, "x\n" * 9999, [[[]]] * 9999, np.zeros((99, 99)), Convertible()], ids=range(5)
)
@pytest.mark.parametrize("name", ["sr", "n_fft", "hop_length", "window", "center", "power", "fmax", "norm"])
def test_parameter_message_is_short(name: str, value: Any) -> None:
    """A parameter of any type and size is an error of one short line that names it."""
    with pytest.raises(ParameterError, match=f"^{name} must be ") as caught:
        MelConfig(**{name: value})
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
