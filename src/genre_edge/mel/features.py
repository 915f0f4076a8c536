"""Functions compatible with librosa 0.11: `melspectrogram`, `power_to_db`, `mfcc`."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genre_edge.errors import ParameterError
from genre_edge.mel import _logmel
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import Frames, MelSpectrogram, apply_top_db, as_array, as_float32
from genre_edge.mel.validation import check_choice, check_real


def _config(**parameters: Any) -> MelConfig:
    try:
        return MelConfig(**parameters)
    except TypeError:
        unknown = sorted(set(parameters) - set(MelConfig.__dataclass_fields__))
        known = ", ".join(MelConfig.__dataclass_fields__)
        raise ParameterError(f"unknown parameter {', '.join(unknown)}; known: {known}") from None


def melspectrogram(y: ArrayLike, **parameters: Any) -> Frames:
    """Compute the mel spectrogram of a signal, like `librosa.feature.melspectrogram`.

    Args:
        y: samples `(n,)`, floating point, full scale +-1.
        parameters: the parameters of `MelConfig`.

    Returns:
        `(n_mels, n_frames)` float32: power, or magnitude with `power=1`.

    Raises:
        ParameterError: a parameter is out of range, or a sample is invalid.
    """
    return MelSpectrogram(_config(**parameters)).mel(y)


def power_to_db(
    S: ArrayLike,
    ref: float | Callable[[NDArray[np.float32]], float] = 1.0,
    amin: float = 1e-10,
    top_db: float | None = 80.0,
) -> NDArray[np.float32]:
    """Convert power to decibels, `10 * log10(S / ref)`, like `librosa.power_to_db`.

    Args:
        S: power, finite, any shape; values below `amin`, negative ones included, count as `amin`.
        ref: the power of 0 dB, or a function of `S` that returns it, such as `np.max`.
        amin: smallest power, 1e-37 to 1e37.
        top_db: raise values more than `top_db` dB below the maximum to that level; None for no limit.

    Returns:
        dB, float32, of the shape of `S`.

    Raises:
        ParameterError: `S` is not real and finite, or a parameter is out of range.
    """
    array = as_array("S", S)
    if array.dtype.kind not in "fiu":
        raise ParameterError(f"S must be real numbers, got {array.dtype!s:.100}")
    power = as_float32(array)
    if not np.isfinite(power).all():
        raise ParameterError("S must be finite")
    if not 1e-37 <= check_real("amin", amin) <= 1e37:
        raise ParameterError(f"amin must be from 1e-37 to 1e37, got {amin!r}")
    ref_power = abs(check_real("ref", ref(power) if callable(ref) else ref))
    db = _logmel.power_to_db(power.ravel(), amin).reshape(power.shape)
    db -= np.float32(10 * math.log10(max(amin, ref_power)))
    return db if top_db is None else apply_top_db(db, top_db)


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
    """Compute mel-frequency cepstral coefficients, like `librosa.feature.mfcc`.

    Args:
        y: samples `(n,)`, floating point, full scale +-1; None if `S` is given.
        sr: sampling rate in Hz.
        S: a mel spectrogram in dB, `(n_mels, n_frames)`, as `power_to_db` returns it.
        n_mfcc: number of coefficients: 1 to `n_mels`, at most 1024.
        dct_type, norm: only 2 and "ortho" are supported (orthonormal DCT-II).
        lifter: liftering coefficient: coefficient c (from 0) is multiplied by
            `1 + lifter / 2 * sin(pi * (c + 1) / lifter)`; 0 for no liftering.
        mel_norm: `norm` of `MelConfig`.
        top_db: raise values more than `top_db` dB below the signal's maximum to that level, as librosa does; None for
            the values of a stream, whose maximum is unknown. Not applied to `S`.
        parameters: the other parameters of `MelConfig`.

    Returns:
        `(n_mfcc, n_frames)` float32.

    Raises:
        ParameterError: a parameter is out of range, a sample is invalid, or both or none of `y` and `S` are passed.
    """
    check_choice("dct_type", dct_type, (2,))
    check_choice("norm", norm, ("ortho",))
    if (y is None) == (S is None):
        raise ParameterError("either y or S must be given")
    if S is not None:
        return _mfcc_of_db(S, n_mfcc, lifter)
    config = _config(sr=sr, norm=mel_norm, **parameters)
    return MelSpectrogram(config).mfcc(y, n_mfcc, lifter, top_db)  # type: ignore[arg-type]


def _mfcc_of_db(S: ArrayLike, n_mfcc: int, lifter: float) -> Frames:
    array = as_array("S", S)
    n_mels = array.shape[0] if array.ndim == 2 and array.dtype.kind == "f" else 0
    if not 1 <= n_mels <= _logmel.MAX_FFT:
        raise ParameterError(f"S must be (n_mels, k) floating point, got {array.shape} {array.dtype!s:.100}")
    frames = as_float32(array)
    if not np.isfinite(frames).all():
        raise ParameterError("S must be finite")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about empty bands: the DCT depends on the number of bands only
        spectrogram = MelSpectrogram(MelConfig(n_mels=n_mels))
    return spectrogram.mfcc_of_db(frames, n_mfcc, lifter)
