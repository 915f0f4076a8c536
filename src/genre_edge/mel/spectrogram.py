"""Log-mel spectrograms and MFCC with the names, defaults and numbers of librosa, for whole signals and streams.

Arrays are `(n_mels, n_frames)` float32. Reference implementation: librosa 0.11, `feature.melspectrogram`,
`feature.mfcc` and `power_to_db`. A stream returns the same bits as one call for the whole signal, for any chunk sizes.

Deliberate differences from librosa:

* The FFT is single precision. Bands within `ACCURATE_RANGE_DB` of the loudest band of their frame agree to 1e-4
  relative in mel power and 5e-4 dB on music and noise. Below that, precision falls: about 1e-3 at 80 dB below the
  loudest band, no correct digit at 100 dB below.
* `y` is one-dimensional floating point. A sample that is NaN, infinite or beyond +-1e9 raises `ParameterError`
  (librosa raises for the first two), so finite input always yields finite output.
* A signal too short for one frame (empty, or shorter than `n_fft` without `center`) yields zero frames, as a stream
  does; librosa raises.
* `pad_mode="reflect"` equals `numpy.pad` at both ends; librosa 0.11 reflects a wrong last sample for some lengths.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genre_edge.errors import ParameterError
from genre_edge.mel import _logmel
from genre_edge.mel.config import MelConfig
from genre_edge.mel.validation import check_choice, check_integer, check_real, quoted

Frames = NDArray[np.float32]

ACCURATE_RANGE_DB = 50.0  # below the loudest band of a frame; fainter bands lose digits to the single-precision FFT


def as_array(name: str, value: ArrayLike) -> NDArray[Any]:
    """Convert a parameter to an array.

    Raises:
        ParameterError: numpy cannot convert `value`, or some of its elements are masked.
    """
    if np.ma.is_masked(value):
        raise ParameterError(f"{name} has masked elements")
    try:
        return np.asarray(value)
    except Exception as error:  # an object's `__array__` may raise anything
        raise ParameterError(f"{name} is not an array: {quoted(str(error))[1:-1]}") from None


def as_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return an array as the core requires it, copied only if it differs: native float32, aligned, in C order.

    A value beyond float32 becomes infinite.
    """
    with np.errstate(all="ignore"):
        return np.require(array, np.float32, ["C", "A"])


def _samples(y: ArrayLike) -> NDArray[np.float32]:
    array = as_array("y", y)
    if array.dtype.kind != "f":
        raise ParameterError(f"y must be floating point, full scale +-1, got {array.dtype!s:.100}")
    if array.ndim != 1:
        raise ParameterError(f"y must be one-dimensional (mono), got shape {array.shape}")
    return as_float32(array)


class MelStream:
    """Mel spectrogram (or MFCC) of samples that arrive in chunks. Use one stream in one thread at a time.

    `MelSpectrogram.stream` creates streams. The frames do not depend on the chunk sizes, bit for bit.
    Frames are `(n_mels, k)` float32, or `(n_mfcc, k)` for MFCC, k >= 0. Memory is constant.
    """

    def __init__(self, plan: _logmel.Plan) -> None:
        self._core = _logmel.Stream(plan)

    def push(self, y: ArrayLike, out: Frames | None = None) -> Frames:
        """Process samples and return the frames that they complete.

        Args:
            y: samples `(n,)`, floating point, full scale +-1; contiguous float32 is not copied.
            out: array for the frames: float32 in Fortran order, such as `numpy.empty((n_mels, 8), "f4", order="F")`.
                Returns `out`, or a view of its filled part. Saves an allocation per call.

        Returns:
            `(n_mels, k)` float32, or `(n_mfcc, k)` for MFCC.

        Raises:
            ParameterError: `y` is not one-dimensional floating point, a sample is invalid, `out` is too small or of
                another kind, or the stream was flushed. The stream is unchanged then.
        """
        try:
            return self._core.push(y if type(y) is np.ndarray else _samples(y), out)
        except TypeError:
            return self._push_converted(y, out)
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def _push_converted(self, y: ArrayLike, out: Frames | None) -> Frames:
        samples = _samples(y)
        try:
            return self._core.push(samples, out)
        except TypeError:  # not about `samples`, which are as the core requires
            raise ParameterError("out must be a writable, aligned float32 array (n_mels, k) in Fortran order") from None
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def flush(self) -> Frames:
        """End the signal and return the remaining frames. Call `reset` before using the stream again.

        Raises:
            ParameterError: the stream was flushed already.
        """
        try:
            return self._core.flush()
        except ValueError as error:
            raise ParameterError(str(error)) from None

    def reset(self) -> None:
        """Discard all samples, as if newly created."""
        self._core.reset()

    @property
    def nbytes(self) -> int:
        """Size of the stream's own memory in bytes."""
        return self._core.plan.stream_nbytes


class MelSpectrogram:
    """Mel spectrograms of one configuration. Streams and calls in all threads share its tables.

    Args:
        config: the parameters; None for librosa's defaults.
        lanes: floats in one SIMD vector: None for the widest that this CPU supports, or 1, 4, 8 (x86-64 with AVX2).
            Wider is faster; the last digits differ between widths.
        measure: let FFTW time its algorithms (`FFTW_MEASURE`). Has an effect only where FFTW is used (`n_fft` odd or
            with a prime factor above 5). Takes tenths of a second, speeds up long streams, and the last digits
            differ between processes. Without it, the same samples yield the same bits in every process.

    Raises:
        ParameterError: a parameter is out of range, or this CPU does not support `lanes`.
        GenreEdgeError: `n_fft` needs FFTW, and FFTW was not found.

    Warns:
        UserWarning: a band contains no FFT bin and is always empty (`n_mels` is too large for `n_fft`).
    """

    def __init__(self, config: MelConfig | None = None, *, lanes: int | None = None, measure: bool = False) -> None:
        self.config = MelConfig() if config is None else config
        if not isinstance(self.config, MelConfig):
            raise ParameterError(f"config must be a MelConfig, got {quoted(config)}")
        self._lanes = check_choice("lanes", lanes, (None, 1, 4, 8)) or 0
        self._measure = check_choice("measure", measure, (False, True))
        self._plans: dict[tuple[bool, int, float], _logmel.Plan] = {}
        if empty := self._plan(decibel=True).empty_bands():
            warnings.warn(
                f"{empty} of {self.config.n_mels} mel bands hold no FFT bin; lower n_mels or raise n_fft", stacklevel=2
            )

    @property
    def lanes(self) -> int:
        """Floats in one SIMD vector."""
        return self._plan(decibel=True).lanes

    @property
    def nbytes(self) -> int:
        """Size in bytes of the tables that streams share (without FFTW's own memory)."""
        return self._plan(decibel=True).nbytes

    def filterbank(self) -> Frames:
        """Return the weights `(n_mels, 1 + n_fft // 2)` float32, like `librosa.filters.mel`."""
        return self._plan(decibel=True).filterbank()

    def mel(self, y: ArrayLike) -> Frames:
        """Compute the mel power (or magnitude) of a signal, like `librosa.feature.melspectrogram`.

        Args:
            y: samples `(n,)`, floating point, full scale +-1.

        Returns:
            `(n_mels, n_frames)` float32.

        Raises:
            ParameterError: `y` is not one-dimensional floating point, or a sample is invalid.
        """
        return self._batch(y, decibel=False)

    def db(self, y: ArrayLike) -> Frames:
        """Compute `power_to_db(mel(y), ref=1, amin=1e-10, top_db=None)` in one pass.

        Args:
            y: samples `(n,)`, floating point, full scale +-1.

        Returns:
            `(n_mels, n_frames)` float32 in dB.

        Raises:
            ParameterError: `y` is not one-dimensional floating point, or a sample is invalid.
        """
        return self._batch(y, decibel=True)

    def mfcc(self, y: ArrayLike, n_mfcc: int = 20, lifter: float = 0.0, top_db: float | None = 80.0) -> Frames:
        """Compute the MFCC of a signal, like `librosa.feature.mfcc`.

        Args:
            y: samples `(n,)`, floating point, full scale +-1.
            n_mfcc, lifter, top_db: see `genre_edge.mfcc`.

        Returns:
            `(n_mfcc, n_frames)` float32.

        Raises:
            ParameterError: a parameter is out of range, or a sample is invalid.
        """
        self._check_mfcc(n_mfcc)
        if top_db is None:
            return self._batch(y, True, n_mfcc, lifter)
        return self.mfcc_of_db(apply_top_db(self.db(y), top_db), n_mfcc, lifter)

    def mfcc_of_db(self, db: ArrayLike, n_mfcc: int = 20, lifter: float = 0.0) -> Frames:
        """Compute the MFCC of a mel spectrogram, like `librosa.feature.mfcc` with `S`.

        Args:
            db: mel spectrogram `(n_mels, k)` in dB, floating point.
            n_mfcc, lifter: see `genre_edge.mfcc`.

        Returns:
            `(n_mfcc, k)` float32.

        Raises:
            ParameterError: `db` has another shape or type, or a parameter is out of range.
        """
        frames = as_array("db", db)
        if frames.ndim != 2 or frames.shape[0] != self.config.n_mels or frames.dtype.kind != "f":
            raise ParameterError(
                f"db must be ({self.config.n_mels}, k) floating point, got {frames.shape} {frames.dtype!s:.100}"
            )
        self._check_mfcc(n_mfcc)
        stream = _logmel.Stream(self._plan(True, n_mfcc, lifter))
        return stream.mfcc(as_float32(frames.T)).T

    def stream(self, decibel: bool = True, *, n_mfcc: int = 0, lifter: float = 0.0) -> MelStream:
        """Create a stream of frames in dB, in power with `decibel=False`, or of MFCC with `n_mfcc`.

        MFCC of a stream equal `mfcc(y, top_db=None)`, because `top_db` needs the maximum of the whole signal.

        Args:
            decibel: frames in dB instead of power or magnitude.
            n_mfcc: number of MFCC for each frame; 0 for mel bands.
            lifter: liftering coefficient of the MFCC, see `genre_edge.mfcc`.

        Raises:
            ParameterError: a parameter is out of range.
        """
        return MelStream(self._plan(decibel, n_mfcc, lifter))

    def _check_mfcc(self, n_mfcc: int) -> None:
        check_integer("n_mfcc", n_mfcc, 1, min(self.config.n_mels, _logmel.MAX_MFCC))

    def _plan(self, decibel: bool, n_mfcc: int = 0, lifter: float = 0.0) -> _logmel.Plan:
        if n_mfcc != 0:
            self._check_mfcc(n_mfcc)
            if not decibel:
                raise ParameterError("MFCC are computed from decibels: decibel=False and n_mfcc exclude each other")
        if check_real("lifter", lifter) < 0:
            raise ParameterError(f"lifter must not be negative, got {quoted(lifter)}")
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
        # Padding can add n_fft samples, so this is an upper bound of the frames.
        out = np.empty(((len(samples) + plan.n_fft) // plan.hop_length + 1, plan.frame_length), np.float32).T
        try:
            head = stream.push(samples, out)
        except ValueError as error:
            raise ParameterError(str(error)) from None
        tail = stream.flush(out[:, head.shape[1] :])
        return out[:, : head.shape[1] + tail.shape[1]]


def apply_top_db(db: NDArray[np.float32], top_db: float) -> NDArray[np.float32]:
    """Raise values more than `top_db` dB below the maximum to that level.

    Raises:
        ParameterError: `top_db` is negative or not a number.
    """
    if check_real("top_db", top_db) < 0:
        raise ParameterError(f"top_db must not be negative, got {quoted(top_db)}")
    return np.maximum(db, db.max() - np.float32(top_db)) if db.size else db
