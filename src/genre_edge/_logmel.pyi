import numpy as np
from numpy.typing import NDArray

MAX_FFT: int
MAX_SAMPLE: float
MIN_RANGE: float

def load_fftw(path: str | None) -> bool: ...
def fftw_version() -> str | None: ...
def power_to_db(power: NDArray[np.float32], amin: float) -> NDArray[np.float32]: ...

class LogMel:
    n_mels: int
    n_fft: int
    def __init__(
        self,
        sr: float,
        n_fft: int,
        win_length: int,
        hop_length: int,
        center: bool,
        reflect: bool,
        power: int,
        n_mels: int,
        fmin: float,
        fmax: float,
        htk: bool,
        norm: bool,
        decibel: bool,
    ) -> None: ...
    def push(self, y: NDArray[np.float32]) -> NDArray[np.float32]: ...
    def flush(self) -> NDArray[np.float32]: ...
    def reset(self) -> None: ...
    def empty_bands(self) -> int: ...
    def filterbank(self) -> NDArray[np.float32]: ...
