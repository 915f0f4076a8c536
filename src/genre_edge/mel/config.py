"""`MelConfig`: the validated parameters of a mel spectrogram."""

from dataclasses import asdict, dataclass
from typing import Any

from genre_edge.errors import ParameterError
from genre_edge.mel import _logmel, fftw
from genre_edge.mel.validation import check_choice, check_integer, check_real

_INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class MelConfig:
    """Parameters of a mel spectrogram, with the names and defaults of `librosa.feature.melspectrogram`.

    Args:
        sr: sampling rate in Hz.
        n_fft: FFT length in samples, 2 to 65536.
        hop_length: samples from one frame to the next.
        win_length: length of the window in samples, at most `n_fft`; None means `n_fft`.
        window: "hann" (periodic), the only one.
        center: centre frame t on sample `t * hop_length`; pads the signal by `n_fft // 2` samples at both ends.
        pad_mode: "constant" (zeros) or "reflect".
        power: 1 for magnitude, 2 for power.
        n_mels: number of mel bands, 1 to 65536.
        fmin, fmax: frequency range of the bands in Hz; `fmax` None means `sr / 2`.
        htk: use the HTK mel scale instead of the Slaney scale.
        norm: "slaney" (triangles of equal area) or None (triangles with peak 1).

    Raises:
        ParameterError: a value is out of range. No value is clamped.
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
        sr = check_real("sr", self.sr)
        if sr < 1:
            raise ParameterError(f"sr must be at least 1, got {self.sr!r}")
        n_fft = check_integer("n_fft", self.n_fft, 2, _logmel.MAX_FFT)
        checked = {
            "sr": sr,
            "n_fft": n_fft,
            "hop_length": check_integer("hop_length", self.hop_length, 1, _INT_MAX),
            "win_length": None if self.win_length is None else check_integer("win_length", self.win_length, 1, n_fft),
            "window": check_choice("window", self.window, ("hann",)),
            "center": check_choice("center", self.center, (True, False)),
            "pad_mode": check_choice("pad_mode", self.pad_mode, ("constant", "reflect")),
            "power": check_choice("power", self.power, (1, 2)),
            "n_mels": check_integer("n_mels", self.n_mels, 1, _logmel.MAX_FFT),
            "fmin": check_real("fmin", self.fmin),
            "fmax": None if self.fmax is None else check_real("fmax", self.fmax),
            "htk": check_choice("htk", self.htk, (False, True)),
            "norm": check_choice("norm", self.norm, ("slaney", None)),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # numpy scalars become plain Python values
        if not 0 <= self.fmin <= self._fmax - _logmel.MIN_RANGE <= self._fmax <= sr / 2:
            raise ParameterError(
                f"0 <= fmin < fmax <= sr/2 = {sr / 2!r} must hold, {_logmel.MIN_RANGE:g} Hz apart, "
                f"got fmin={self.fmin!r}, fmax={self._fmax!r}"
            )

    @property
    def _fmax(self) -> float:
        return self.sr / 2 if self.fmax is None else self.fmax

    def to_dict(self) -> dict[str, Any]:
        """Return all parameters by name; all values are JSON types."""
        return asdict(self)

    def plan(self, *, decibel: bool, n_mfcc: int, lifter: float, lanes: int, measure: bool) -> _logmel.Plan:
        """Create the C core's plan for these parameters.

        Args:
            decibel: frames in dB instead of power or magnitude.
            n_mfcc: number of MFCC for each frame; 0 for mel bands.
            lifter: liftering coefficient of the MFCC; 0 for none.
            lanes: floats in one SIMD vector; 0 for the widest that this CPU supports.
            measure: let FFTW time its algorithms.

        Raises:
            GenreEdgeError: `n_fft` needs FFTW, and FFTW was not found.
            ValueError: a value is out of range, or this CPU does not support `lanes`.
        """
        if _logmel.needs_fftw(self.n_fft):
            fftw.ensure_loaded()
        return _logmel.Plan(
            sr=float(self.sr),
            n_fft=self.n_fft,
            win_length=self.n_fft if self.win_length is None else self.win_length,
            hop_length=self.hop_length,
            center=self.center,
            reflect=self.pad_mode == "reflect",
            power=int(self.power),
            n_mels=self.n_mels,
            fmin=float(self.fmin),
            fmax=float(self._fmax),
            htk=self.htk,
            norm=self.norm == "slaney",
            decibel=decibel,
            n_mfcc=n_mfcc,
            lifter=lifter,
            lanes=lanes,
            measure=measure,
        )
