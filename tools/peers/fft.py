"""FFTW's real FFT alone, timed from Python."""

import ctypes
import re
import time
from pathlib import Path

import numpy as np

from tools.peers.setups import Floats, Setup

LINE = 16  # floats in a cache line


class RealFft:
    """FFTW's real-to-complex transform alone, from the library that genre-edge loads, planned with FFTW_ESTIMATE.

    One call from Python costs as much as a small transform. So a single call runs LOOPS transforms of one frame with
    one FFTW plan (fftwf_plan_many_dft_r2c) whose transforms all read and write the same arrays. The printed plan must
    contain the printed plan of one transform, which shows that the algorithm is the same. The alignment of the arrays
    changes the speed by a few per cent: the fastest of PLACES alignments is used.

    Raises:
        RuntimeError: FFTW plans the loop differently from one transform, or its result differs from numpy's.
    """

    LOOPS, PLACES, TRIALS = 1000, 8, 20
    ESTIMATE = 1 << 6

    def __init__(self, setup: Setup, bank: Floats) -> None:
        self.n_fft = setup.n_fft
        self.library = ctypes.CDLL(self._path())
        step = 1024 + 5 * LINE  # another page, and another offset in it
        self._buffer = _aligned(setup.n_fft + self.PLACES * step + setup.n_fft)  # the plans keep its address
        frame, rest = self._buffer[: setup.n_fft], self._buffer[setup.n_fft :]
        places = [rest[k * step :][: setup.n_fft + 2] for k in range(self.PLACES)]
        plans = [ctypes.c_void_p(self._plan_loops(frame.ctypes.data, bins.ctypes.data)) for bins in places]
        frame[:] = np.random.default_rng(0).standard_normal(setup.n_fft)
        self._plan, bins = min(zip(plans, places, strict=True), key=self._best_seconds)
        self.library.fftwf_execute(self._plan)
        if not np.allclose(bins.view(np.complex64), np.fft.rfft(frame), atol=1e-3):
            raise RuntimeError("FFTW's spectrum differs from numpy's")
        self._result = np.broadcast_to(bins[:, None], (len(bins), self.LOOPS))

    @staticmethod
    def _path() -> str:
        from genre_edge.mel import fftw

        fftw.ensure_loaded()
        return str(re.findall(r"/.*/[^/\n]*fftw[^/\n]*\.so.*", Path("/proc/self/maps").read_text())[0])

    def _plan_loops(self, frame: int, bins: int) -> int:
        plan_1d, plan_many = self.library.fftwf_plan_dft_r2c_1d, self.library.fftwf_plan_many_dft_r2c
        number, address, flags = ctypes.c_int, ctypes.c_void_p, ctypes.c_uint
        layout = (address, address, number, number)  # data, its own dimensions, stride, distance
        plan_1d.argtypes = (number, address, address, flags)
        plan_many.argtypes = (number, address, number, *layout, *layout, flags)
        plan_1d.restype = plan_many.restype = address
        one = plan_1d(self.n_fft, frame, bins, self.ESTIMATE)
        size = ctypes.byref(number(self.n_fft))
        many = plan_many(1, size, self.LOOPS, frame, None, 1, 0, bins, None, 1, 0, self.ESTIMATE)
        if not (one and many and self._plan_text(one) in self._plan_text(many)):
            raise RuntimeError("FFTW plans a loop of transforms differently from a single one")
        return int(many)

    def _plan_text(self, plan: int) -> str:
        sprint = self.library.fftwf_sprint_plan
        sprint.argtypes, sprint.restype = (ctypes.c_void_p,), ctypes.c_char_p
        text: bytes = sprint(plan)
        return "".join(text.decode().split())

    def _best_seconds(self, place: tuple[ctypes.c_void_p, Floats]) -> float:
        times = []
        for _ in range(self.TRIALS):
            start_s = time.perf_counter()
            self.library.fftwf_execute(place[0])
            times.append(time.perf_counter() - start_s)
        return min(times)

    def batch(self, y: Floats) -> Floats:
        """Run LOOPS transforms; `y` is ignored."""
        self.library.fftwf_execute(self._plan)
        return self._result


def _aligned(n: int) -> Floats:
    """Return `n` zeros that start at a cache line."""
    buffer = np.zeros(n + LINE, np.float32)
    start = -buffer.ctypes.data % (4 * LINE) // 4
    return buffer[start : start + n]
