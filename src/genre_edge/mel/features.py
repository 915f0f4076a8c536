"""librosa's functions by their names: melspectrogram, power_to_db, mfcc. What they share is in mel.py."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genre_edge.errors import ParameterError
from genre_edge.mel import _logmel
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram, as_array, limited
from genre_edge.mel.validation import choice, real


def _config(**parameters: Any) -> MelConfig:
    try:
        return MelConfig(**parameters)
    except TypeError:
        unknown = sorted(set(parameters) - set(MelConfig.__dataclass_fields__))
        known = ", ".join(MelConfig.__dataclass_fields__)
        raise ParameterError(f"unknown parameter {', '.join(unknown)}; known: {known}") from None


def melspectrogram(y: ArrayLike, **parameters: Any) -> Frames:
    """Mel spectrogram of `y` `(n,)` float: `(n_mels, n_frames)` float32, power unless `power=1`.

    librosa.feature.melspectrogram's twin; `parameters` are MelConfig's.

    Raises:
        ParameterError: a parameter or a sample is unusable.
    """
    return MelSpectrogram(_config(**parameters)).mel(y)


def power_to_db(
    S: ArrayLike,
    ref: float | Callable[[NDArray[np.float32]], float] = 1.0,
    amin: float = 1e-10,
    top_db: float | None = 80.0,
) -> NDArray[np.float32]:
    """Power to decibels: `10 * log10(S / ref)`, any shape, float32; librosa.power_to_db's twin.

    Args:
        S: power, finite; values below `amin` (negative ones too) count as `amin`.
        ref: the power of 0 dB, or a function of `S` that gives it, such as `np.max`.
        amin: smallest power, 1e-37 or more.
        top_db: nothing is further below the maximum than this; None for no limit.

    Raises:
        ParameterError: `S` is not real and finite, or a parameter is out of its range.
    """
    array = as_array("S", S)
    if array.dtype.kind not in "fiu":
        raise ParameterError(f"S must be real numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        power = array.astype(np.float32)
    if not np.isfinite(power).all():
        raise ParameterError("S must be finite")
    if not 1e-37 <= real("amin", amin) <= 1e37:
        raise ParameterError(f"amin must be from 1e-37 to 1e37, got {amin!r}")
    ref_power = abs(real("ref", ref(power) if callable(ref) else ref))
    db = _logmel.power_to_db(np.ascontiguousarray(power).ravel(), amin).reshape(power.shape)
    db -= np.float32(10 * math.log10(max(amin, ref_power)))
    return db if top_db is None else limited(db, top_db)


def mfcc(
    y: ArrayLike | None = None,
    sr: float = 22050,
    S: ArrayLike | None = None,
    n_mfcc: int = 20,
    dct_type: int = 2,
    norm: str = "ortho",
    lifter: float = 0.0,
    mel_norm: str | None = "slaney",
    top_db: float | None = 80.0,
    **parameters: Any,
) -> NDArray[np.float32]:
    """Mel-frequency cepstral coefficients: `(n_mfcc, n_frames)` float32; librosa.feature.mfcc's twin.

    Args:
        y: samples `(n,)`, or None if `S` is given.
        sr: sampling rate in Hz.
        S: a mel spectrogram in dB, `(n_mels, n_frames)`, as `power_to_db` gives it.
        n_mfcc: how many coefficients: at most `n_mels` and 1024.
        dct_type, norm: the DCT is the orthonormal DCT-II, so 2 and "ortho" only.
        lifter: 0 for none; else coefficient c (from 0) counts `1 + lifter / 2 * sin(pi * (c + 1) / lifter)` times.
        mel_norm: MelConfig's `norm`.
        top_db: decibels further below the signal's loudest are raised to that, as librosa does; None for a stream's
            values, which cannot know the loudest. Not applied to `S`.
        parameters: the others of MelConfig.

    Raises:
        ParameterError: a parameter or a sample is unusable.
    """
    choice("dct_type", dct_type, (2,))
    choice("norm", norm, ("ortho",))
    if (y is None) == (S is None):
        raise ParameterError("either y or S must be given")
    if S is not None:
        return _mfcc_of(S, n_mfcc, lifter)
    config = _config(sr=sr, norm=mel_norm, **parameters)
    return MelSpectrogram(config).mfcc(y, n_mfcc, lifter, top_db)  # type: ignore[arg-type]


def _mfcc_of(S: ArrayLike, n_mfcc: int, lifter: float) -> Frames:
    array = as_array("S", S)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ParameterError("S must be finite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # any front end will do: only the number of bands matters to the DCT
        mel_of = MelSpectrogram(MelConfig(n_mels=array.shape[0] if array.ndim == 2 else 1))
    return mel_of.mfcc_of_db(array, n_mfcc, lifter)
