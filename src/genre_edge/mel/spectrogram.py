"""Log-mel spectrograms and MFCC with librosa's names, defaults and numbers, in one piece or as a stream.

Arrays are `(n_mels, n_frames)` float32. Reference implementation: librosa 0.11, `feature.melspectrogram`,
`feature.mfcc` and `power_to_db`. A stream gives the same bits as one piece, however the samples are cut.

Differences from librosa, all deliberate:

* the FFT is single precision. Bands within 50 dB of their frame's loudest agree to 1e-4 relative in mel power and
  5e-4 dB on music and noise; below that digits fade (1e-3 some 80 dB down, none left 100 dB down);
* `y` is one-dimensional floating point; a sample that is NaN, infinite or beyond 1e9 raises `ParameterError`
  (librosa raises for the first two), so finite input always gives finite output;
* a signal too short for one frame (empty, or shorter than `n_fft` without `center`) gives zero frames, as a stream
  would; librosa raises;
* `pad_mode="reflect"` is numpy.pad's at both ends; librosa 0.11 takes a wrong last sample for some lengths.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genre_edge.errors import ParameterError
from genre_edge.mel import _logmel
from genre_edge.mel.config import MelConfig
from genre_edge.mel.validation import choice, integer, real

Frames = NDArray[np.float32]


def as_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """numpy's view of a parameter. Raises ParameterError."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ParameterError(f"{name} is no array: {error}") from None


def _samples(y: ArrayLike) -> NDArray[np.float32]:
    array = as_array("y", y)
    if array.dtype.kind != "f":
        raise ParameterError(f"y must be floating point, full scale +-1, got {array.dtype}")
    if array.ndim != 1:
        raise ParameterError(f"y must be one-dimensional (mono), got shape {array.shape}")
    with np.errstate(over="ignore"):  # a float64 too large becomes inf, which the core refuses by its position
        return np.ascontiguousarray(array, dtype=np.float32)


class MelStream:
    """A mel spectrogram (or MFCC) of samples that arrive in pieces. Use one stream in one thread at a time.

    Made by `MelSpectrogram.stream`. Any cutting of the same samples gives the same frames, bit for bit.
    Values are `(n_mels, k)`, or `(n_mfcc, k)` for MFCC, k >= 0. A stream's memory never grows.
    """

    def __init__(self, plan: _logmel.Plan) -> None:
        self._core = _logmel.Stream(plan)

    def push(self, y: ArrayLike, out: Frames | None = None) -> Frames:
        """Take samples `(n,)` and return the frames that they complete.

        Args:
            y: samples; contiguous float32 is taken as it is.
            out: where the frames go: float32 in Fortran order, such as `numpy.empty((n_mels, 8), "f4", order="F")`.
                What is returned is then `out`, or the part of it that was filled. Saves an allocation per call.

        Raises:
            ParameterError: `y` is not one-dimensional floating point, a sample is unusable, `out` is too small or no
                such array (nothing of `y` was taken then), or the stream was flushed.
        """
        try:
            return self._core.push(y, out)  # type: ignore[arg-type]
        except TypeError:
            return self._push_converted(y, out)
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def _push_converted(self, y: ArrayLike, out: Frames | None) -> Frames:
        samples = _samples(y)
        try:
            return self._core.push(samples, out)
        except TypeError:
            raise ParameterError("out must be a writable float32 array (n_mels, k) in Fortran order") from None
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def flush(self) -> Frames:
        """End the signal and return the frames that are left. `reset` makes the stream new again."""
        try:
            return self._core.flush()
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def reset(self) -> None:
        """Forget all samples, as if just made."""
        self._core.reset()

    @property
    def nbytes(self) -> int:
        """Bytes of the stream's own memory."""
        return self._core.plan.stream_nbytes


class MelSpectrogram:
    """Computes mel spectrograms of one configuration. Streams and calls in any threads share its tables.

    Args:
        config: the parameters; None means librosa's defaults.
        lanes: floats in a vector: None for as many as the processor has, or 1, 4, 8 (x86-64 with AVX2). More are
            faster; the last digits differ, which matters to those who compare bits across machines only.
        measure: let FFTW find its fastest plan by timing, where FFTW is used at all (`n_fft` odd or with a prime
            factor above 5): costs tenths of a second, pays for streams that live long, and the last digits then
            differ from one process to the next. Without it the same samples give the same bits in every process.

    Raises:
        ParameterError: a parameter is unusable, or this processor has no such lanes.

    Warns:
        UserWarning: a band holds no FFT bin and will always be empty (`n_mels` too large for `n_fft`).
    """

    def __init__(self, config: MelConfig | None = None, *, lanes: int | None = None, measure: bool = False) -> None:
        self.config = MelConfig() if config is None else config
        if not isinstance(self.config, MelConfig):
            raise ParameterError(f"config must be a MelConfig, got {config!r:.100}")
        self._lanes = choice("lanes", lanes, (None, 1, 4, 8)) or 0
        self._measure = choice("measure", measure, (False, True))
        self._plans: dict[tuple[bool, int, float], _logmel.Plan] = {}
        if empty := self._plan(decibel=True).empty_bands():
            warnings.warn(
                f"{empty} of {self.config.n_mels} mel bands hold no FFT bin; lower n_mels or raise n_fft", stacklevel=2
            )

    @property
    def lanes(self) -> int:
        """Floats in the vectors in use."""
        return self._plan(decibel=True).lanes

    @property
    def nbytes(self) -> int:
        """Bytes of the tables that streams share (without FFTW's own)."""
        return self._plan(decibel=True).nbytes

    def filterbank(self) -> Frames:
        """The weights, `(n_mels, 1 + n_fft // 2)` float32; librosa.filters.mel's twin."""
        return self._plan(decibel=True).filterbank()

    def mel(self, y: ArrayLike) -> Frames:
        """Mel power (or magnitude) of `y` `(n,)`: `(n_mels, n_frames)`. Raises as `MelStream.push`."""
        return self._batch(y, decibel=False)

    def db(self, y: ArrayLike) -> Frames:
        """`power_to_db(mel(y), ref=1, amin=1e-10, top_db=None)` in one pass: `(n_mels, n_frames)` in dB."""
        return self._batch(y, decibel=True)

    def mfcc(self, y: ArrayLike, n_mfcc: int = 20, lifter: float = 0.0, top_db: float | None = 80.0) -> Frames:
        """MFCC of `y` `(n,)`: `(n_mfcc, n_frames)`; librosa.feature.mfcc's twin, see `genre_edge.mfcc`."""
        self._check_mfcc(n_mfcc)
        if top_db is None:
            return self._batch(y, True, n_mfcc, lifter)
        return self.mfcc_of_db(limited(self.db(y), top_db), n_mfcc, lifter)

    def mfcc_of_db(self, db: ArrayLike, n_mfcc: int = 20, lifter: float = 0.0) -> Frames:
        """The last step alone: decibels `(n_mels, k)` -> MFCC `(n_mfcc, k)`."""
        frames = as_array("db", db)
        if frames.ndim != 2 or frames.shape[0] != self.config.n_mels or frames.dtype.kind != "f":
            raise ParameterError(
                f"db must be ({self.config.n_mels}, k) floating point, got {frames.shape} {frames.dtype}"
            )
        self._check_mfcc(n_mfcc)
        stream = _logmel.Stream(self._plan(True, n_mfcc, lifter))
        return stream.mfcc(np.ascontiguousarray(frames.T, dtype=np.float32)).T

    def stream(self, decibel: bool = True, *, n_mfcc: int = 0, lifter: float = 0.0) -> MelStream:
        """A new stream of frames in dB, in power with `decibel=False`, or of MFCC with `n_mfcc`.

        MFCC of a stream are `mfcc(y, top_db=None)`: a limit below the loudest needs the whole signal.
        """
        return MelStream(self._plan(decibel, n_mfcc, lifter))

    def _check_mfcc(self, n_mfcc: int) -> None:
        integer("n_mfcc", n_mfcc, 1, min(self.config.n_mels, _logmel.MAX_MFCC))

    def _plan(self, decibel: bool, n_mfcc: int = 0, lifter: float = 0.0) -> _logmel.Plan:
        if n_mfcc != 0:
            self._check_mfcc(n_mfcc)
            if not decibel:
                raise ParameterError("MFCC are made of decibels: decibel=False and n_mfcc exclude each other")
        if real("lifter", lifter) < 0:
            raise ParameterError(f"lifter must not be negative, got {lifter!r}")
        key = (bool(decibel), n_mfcc, float(lifter))
        if key not in self._plans:
            try:
                self._plans[key] = self.config.plan(
                    decibel=key[0], n_mfcc=n_mfcc, lifter=key[2], lanes=self._lanes, measure=self._measure
                )
            except ValueError as error:
                raise ParameterError(str(error)) from None
        return self._plans[key]

    def _batch(self, y: ArrayLike, decibel: bool, n_mfcc: int = 0, lifter: float = 0.0) -> Frames:
        samples, plan = _samples(y), self._plan(decibel, n_mfcc, lifter)
        stream = _logmel.Stream(plan)
        # Padding can add n_fft samples; what the estimate has too much is cut off.
        out = np.empty(((len(samples) + plan.n_fft) // plan.hop_length + 1, plan.frame_length), np.float32).T
        try:
            head = stream.push(samples, out)
        except ValueError as error:
            raise ParameterError(str(error)) from None
        tail = stream.flush(out[:, head.shape[1] :])
        return out[:, : head.shape[1] + tail.shape[1]]


def limited(db: NDArray[np.float32], top_db: float) -> NDArray[np.float32]:
    """Nothing further than `top_db` below the maximum. Raises ParameterError."""
    if real("top_db", top_db) < 0:
        raise ParameterError(f"top_db must not be negative, got {top_db!r}")
    return np.maximum(db, db.max() - np.float32(top_db)) if db.size else db
