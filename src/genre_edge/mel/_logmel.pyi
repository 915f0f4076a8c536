import numpy as np
from numpy.typing import NDArray

MAX_FFT: int
MAX_MFCC: int
MAX_SAMPLE: float
MIN_RANGE: float

def load_fftw(path: str | None) -> bool: ...
def fftw_version() -> str | None: ...
def needs_fftw(n_fft: int) -> bool: ...
def power_to_db(power: NDArray[np.float32], amin: float) -> NDArray[np.float32]: ...

class Plan:
    n_mels: int
    n_fft: int
    hop_length: int
    frame_length: int
    lanes: int
    nbytes: int
    stream_nbytes: int
    def __init__(
        self,
        *,
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
        n_mfcc: int,
        lifter: float,
        lanes: int,
        measure: bool,
    ) -> None: ...
    def empty_bands(self) -> int: ...
    def filterbank(self) -> NDArray[np.float32]: ...

class Stream:
    plan: Plan
    def __init__(self, plan: Plan) -> None: ...
    def push(self, y: NDArray[np.float32], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]: ...
    def flush(self, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]: ...
    def reset(self) -> None: ...
    def mfcc(self, db: NDArray[np.float32]) -> NDArray[np.float32]: ...
