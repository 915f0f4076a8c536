"""Log-mel spectrograms with librosa's names, defaults and numbers, in one piece or as a stream.

Arrays are `(n_mels, n_frames)` float32. Reference implementation: librosa 0.11, `feature.melspectrogram` and
`power_to_db`. A stream gives the same bits as one piece, however the samples are cut.

Differences from librosa, all deliberate:

* the FFT is single precision. On music and noise mel power agrees to 1e-4 relative and 5e-4 dB; in bands that are
  more than about 100 dB below the loudest bin of the same frame, float32 has no digits left;
* `y` is one-dimensional floating point; samples that are NaN, infinite or beyond 1e12 raise `ParameterError`
  (librosa: NaN and infinite raise too), so finite input always gives finite output;
* a signal too short for one frame (empty, or shorter than `n_fft` without `center`) gives zero frames, as a stream
  would; librosa raises.
"""

import math
import operator
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genre_edge import _logmel, fftw
from genre_edge.errors import ParameterError

Frames = NDArray[np.float32]

_INT_MAX = 2**31 - 1


def _integer(name: str, value: Any, low: int, high: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise ParameterError(f"{name} must be an integer, got {value!r}") from None
    if isinstance(value, bool) or not low <= number <= high:
        raise ParameterError(f"{name} must be an integer from {low} to {high}, got {value!r}")
    return number


def _real(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} must be a number, got {value!r}") from None
    if isinstance(value, (bool, str)) or not math.isfinite(number):
        raise ParameterError(f"{name} must be a finite number, got {value!r}")
    return number


def _choice(name: str, value: Any, allowed: tuple[Any, ...]) -> None:
    if isinstance(value, bool) != isinstance(allowed[0], bool) or value not in allowed:
        raise ParameterError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


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
        sr = _real("sr", self.sr)
        if sr <= 0:
            raise ParameterError(f"sr must be positive, got {self.sr!r}")
        n_fft = _integer("n_fft", self.n_fft, 2, _logmel.MAX_FFT)
        _integer("hop_length", self.hop_length, 1, _INT_MAX)
        if self.win_length is not None:
            _integer("win_length", self.win_length, 1, n_fft)
        _choice("window", self.window, ("hann",))
        _choice("center", self.center, (True, False))
        _choice("pad_mode", self.pad_mode, ("constant", "reflect"))
        _choice("power", self.power, (1, 2))
        _integer("n_mels", self.n_mels, 1, _logmel.MAX_FFT)
        fmin, fmax = _real("fmin", self.fmin), sr / 2 if self.fmax is None else _real("fmax", self.fmax)
        if not 0 <= fmin < fmax <= sr / 2:
            raise ParameterError(f"0 <= fmin < fmax <= sr/2 = {sr / 2:g} must hold, got fmin={fmin:g}, fmax={fmax:g}")
        _choice("htk", self.htk, (False, True))
        _choice("norm", self.norm, ("slaney", None))

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
            fmax=self.sr / 2 if self.fmax is None else float(self.fmax),
            htk=self.htk,
            norm=self.norm == "slaney",
            decibel=decibel,
        )


def _samples(y: ArrayLike) -> NDArray[np.float32]:
    array = np.asarray(y)
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
        empty = np.flatnonzero(self.filterbank().max(axis=1) == 0)
        if empty.size:
            warnings.warn(
                f"{empty.size} of {self.config.n_mels} mel bands hold no FFT bin (first: {empty[0]}); "
                "lower n_mels or raise n_fft",
                stacklevel=2,
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
        raise ParameterError(f"unknown parameter {', '.join(unknown)}") from None
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
    power = np.ascontiguousarray(S, dtype=np.float32)
    if not np.isfinite(power).all():
        raise ParameterError("S must be finite")
    if not 1e-37 <= _real("amin", amin) <= 1e37:
        raise ParameterError(f"amin must be from 1e-37 to 1e37, got {amin!r}")
    if top_db is not None and _real("top_db", top_db) < 0:
        raise ParameterError(f"top_db must not be negative, got {top_db!r}")
    ref_power = abs(_real("ref", ref(power) if callable(ref) else ref))
    db = _logmel.power_to_db(power.ravel(), amin).reshape(power.shape)
    db -= np.float32(10 * math.log10(max(amin, ref_power)))
    if top_db is not None and db.size:
        np.maximum(db, db.max() - np.float32(top_db), out=db)
    return db
