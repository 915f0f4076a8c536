"""Log-mel spectrograms with librosa's names, defaults and numbers, in one piece or as a stream.

Arrays are `(n_mels, n_frames)` float32. Reference implementation: librosa 0.11, `feature.melspectrogram` and
`power_to_db`. A stream gives the same bits as one piece, however the samples are cut.

Differences from librosa, all deliberate:

* the FFT is single precision. Bands within 50 dB of their frame's loudest agree to 1e-4 relative in mel power and
  5e-4 dB on music and noise; below that digits fade (1e-3 some 80 dB down, none left 100 dB down);
* `y` is one-dimensional floating point; a sample that is NaN, infinite or beyond 1e9 raises `ParameterError`
  (librosa raises for the first two), so finite input always gives finite output;
* a signal too short for one frame (empty, or shorter than `n_fft` without `center`) gives zero frames, as a stream
  would; librosa raises;
* `pad_mode="reflect"` is numpy.pad's at both ends; librosa 0.11 takes a wrong last sample for some lengths.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genre_edge import _logmel, fftw
from genre_edge.checks import choice, integer, real
from genre_edge.errors import ParameterError

Frames = NDArray[np.float32]

_INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class MelConfig:
    """Parameters of a mel spectrogram, librosa's names and defaults.

    Args:
        sr: sampling rate in Hz.
        n_fft: FFT length in samples, 2 to 65536.
        hop_length: samples from one frame to the next.
        win_length: length of the window in samples, at most `n_fft`; None means `n_fft`.
        window: "hann" (periodic), the only one.
        center: frame t is centred on sample `t * hop_length`; the signal is padded by `n_fft // 2` at both ends.
        pad_mode: "constant" (zeros) or "reflect".
        power: 1 for magnitude, 2 for power.
        n_mels: number of mel bands.
        fmin, fmax: range of the bands in Hz; `fmax` None means `sr / 2`.
        htk: HTK's mel scale instead of Slaney's.
        norm: "slaney" (triangles of equal area) or None (of peak 1).

    Raises:
        ParameterError: a value is outside what is allowed. Nothing is clamped.
    """

    sr: float = 22050
    n_fft: int = 2048
    hop_length: int = 512
    win_length: int | None = None
    window: str = "hann"
    center: bool = True
    pad_mode: str = "constant"
    power: float = 2.0
    n_mels: int = 128
    fmin: float = 0.0
    fmax: float | None = None
    htk: bool = False
    norm: str | None = "slaney"

    def __post_init__(self) -> None:
        sr = real("sr", self.sr)
        if sr < 1:
            raise ParameterError(f"sr must be at least 1, got {self.sr!r}")
        n_fft = integer("n_fft", self.n_fft, 2, _logmel.MAX_FFT)
        checked = {
            "sr": sr,
            "n_fft": n_fft,
            "hop_length": integer("hop_length", self.hop_length, 1, _INT_MAX),
            "win_length": None if self.win_length is None else integer("win_length", self.win_length, 1, n_fft),
            "window": choice("window", self.window, ("hann",)),
            "center": choice("center", self.center, (True, False)),
            "pad_mode": choice("pad_mode", self.pad_mode, ("constant", "reflect")),
            "power": choice("power", self.power, (1, 2)),
            "n_mels": integer("n_mels", self.n_mels, 1, _logmel.MAX_FFT),
            "fmin": real("fmin", self.fmin),
            "fmax": None if self.fmax is None else real("fmax", self.fmax),
            "htk": choice("htk", self.htk, (False, True)),
            "norm": choice("norm", self.norm, ("slaney", None)),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # plain Python values, whatever numpy type came
        if not 0 <= self.fmin <= self._top - _logmel.MIN_RANGE <= self._top <= sr / 2:
            raise ParameterError(
                f"0 <= fmin < fmax <= sr/2 = {sr / 2!r} must hold, {_logmel.MIN_RANGE:g} Hz apart, "
                f"got fmin={self.fmin!r}, fmax={self._top!r}"
            )

    @property
    def _top(self) -> float:
        return self.sr / 2 if self.fmax is None else self.fmax

    def to_dict(self) -> dict[str, Any]:
        """All parameters by name, ready for JSON."""
        return asdict(self)

    def _core(self, decibel: bool) -> _logmel.LogMel:
        fftw.ensure()
        return _logmel.LogMel(
            sr=float(self.sr),
            n_fft=self.n_fft,
            win_length=self.n_fft if self.win_length is None else self.win_length,
            hop_length=self.hop_length,
            center=self.center,
            reflect=self.pad_mode == "reflect",
            power=int(self.power),
            n_mels=self.n_mels,
            fmin=float(self.fmin),
            fmax=float(self._top),
            htk=self.htk,
            norm=self.norm == "slaney",
            decibel=decibel,
        )


def _array(name: str, value: ArrayLike) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ParameterError(f"{name} is no array: {error}") from None


def _samples(y: ArrayLike) -> NDArray[np.float32]:
    array = _array("y", y)
    if array.dtype.kind != "f":
        raise ParameterError(f"y must be floating point, full scale +-1, got {array.dtype}")
    if array.ndim != 1:
        raise ParameterError(f"y must be one-dimensional (mono), got shape {array.shape}")
    with np.errstate(over="ignore"):  # a float64 too large becomes inf, which the core refuses by its position
        return np.ascontiguousarray(array, dtype=np.float32)


class MelStream:
    """A mel spectrogram of samples that arrive in pieces. Use one stream in one thread at a time.

    Made by `MelSpectrogram.stream`. Any cutting of the same samples gives the same frames, bit for bit.
    """

    def __init__(self, core: _logmel.LogMel) -> None:
        self._core = core

    def push(self, y: ArrayLike) -> Frames:
        """Take samples `(n,)` and return the frames that they complete, `(n_mels, k)`, k >= 0.

        Raises:
            ParameterError: `y` is not one-dimensional floating point, a sample is unusable (nothing of `y` was
                taken then), or the stream was flushed.
        """
        samples = _samples(y)
        try:
            return self._core.push(samples).T
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def flush(self) -> Frames:
        """End the signal and return the frames that are left, `(n_mels, k)`. `reset` makes the stream new again."""
        try:
            return self._core.flush().T
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def reset(self) -> None:
        """Forget all samples, as if just made."""
        self._core.reset()


class MelSpectrogram:
    """Computes mel spectrograms of one configuration.

    Args:
        config: the parameters; None means librosa's defaults.

    Warns:
        UserWarning: a band holds no FFT bin and will always be empty (`n_mels` too large for `n_fft`).
    """

    def __init__(self, config: MelConfig | None = None) -> None:
        self.config = MelConfig() if config is None else config
        if not isinstance(self.config, MelConfig):
            raise ParameterError(f"config must be a MelConfig, got {config!r:.100}")
        if empty := self.config._core(decibel=False).empty_bands():
            warnings.warn(
                f"{empty} of {self.config.n_mels} mel bands hold no FFT bin; lower n_mels or raise n_fft", stacklevel=2
            )

    def filterbank(self) -> Frames:
        """The weights, `(n_mels, 1 + n_fft // 2)` float32; librosa.filters.mel's twin."""
        return self.config._core(decibel=False).filterbank()

    def mel(self, y: ArrayLike) -> Frames:
        """Mel power (or magnitude) of `y` `(n,)`: `(n_mels, n_frames)`. Raises as `MelStream.push`."""
        return self._batch(y, decibel=False)

    def db(self, y: ArrayLike) -> Frames:
        """`power_to_db(mel(y), ref=1, amin=1e-10, top_db=None)` in one pass: `(n_mels, n_frames)` in dB."""
        return self._batch(y, decibel=True)

    def stream(self, decibel: bool = True) -> MelStream:
        """A new stream of frames in dB, or in power with `decibel=False`."""
        return MelStream(self.config._core(decibel))

    def _batch(self, y: ArrayLike, decibel: bool) -> Frames:
        stream = self.stream(decibel)
        head, tail = stream.push(y), stream.flush()
        # Frames lie one after another in memory: join them as rows, show them as columns.
        return np.concatenate([head.T, tail.T]).T


def melspectrogram(y: ArrayLike, **parameters: Any) -> Frames:
    """Mel spectrogram of `y` `(n,)` float: `(n_mels, n_frames)` float32, power unless `power=1`.

    librosa.feature.melspectrogram's twin; `parameters` are MelConfig's.

    Raises:
        ParameterError: a parameter or a sample is unusable.
    """
    try:
        config = MelConfig(**parameters)
    except TypeError:
        unknown = sorted(set(parameters) - set(MelConfig.__dataclass_fields__))
        known = ", ".join(MelConfig.__dataclass_fields__)
        raise ParameterError(f"unknown parameter {', '.join(unknown)}; known: {known}") from None
    return MelSpectrogram(config).mel(y)


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
    array = _array("S", S)
    if array.dtype.kind not in "fiu":
        raise ParameterError(f"S must be real numbers, got {array.dtype}")
    with np.errstate(over="ignore"):
        power = array.astype(np.float32)
    if not np.isfinite(power).all():
        raise ParameterError("S must be finite")
    if not 1e-37 <= real("amin", amin) <= 1e37:
        raise ParameterError(f"amin must be from 1e-37 to 1e37, got {amin!r}")
    if top_db is not None and real("top_db", top_db) < 0:
        raise ParameterError(f"top_db must not be negative, got {top_db!r}")
    ref_power = abs(real("ref", ref(power) if callable(ref) else ref))
    db = _logmel.power_to_db(np.ascontiguousarray(power).ravel(), amin).reshape(power.shape)
    db -= np.float32(10 * math.log10(max(amin, ref_power)))
    if top_db is not None and db.size:
        np.maximum(db, db.max() - np.float32(top_db), out=db)
    return db
