"""Time implementations in interleaved rounds, each in a process of its own.

Separate processes make the cost of imports and memory measurable, and keep the threads and allocators of libraries
apart. Only one process works at a time; the others wait on a pipe.
"""

import gc
import itertools
import multiprocessing
import os
import random
import time
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from tools.peers.implementations import ENTRIES
from tools.peers.setups import Floats, Setup

STREAMED_HOPS = 100

# Read by numerical libraries when the child processes load them.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}


class Startup(NamedTuple):
    """First message of a child process.

    Attributes:
        seconds: import and first call, on one second of the signal.
        megabytes: resident memory that these added.
        frames: number of frames of a batch.
        db: decibels of a batch, `(n_mels, frames)`; None if the implementation computes no spectrogram.
        streamed: decibels of the first STREAMED_HOPS hops, `(n_mels, STREAMED_HOPS)`, or None.
    """

    seconds: float
    megabytes: float
    frames: int
    db: Floats | None
    streamed: Floats | None


class Burst(NamedTuple):
    """Duration of a series of calls: wall-clock seconds, and CPU seconds of all threads."""

    seconds: float
    cpu_seconds: float


class Effort(NamedTuple):
    """Number of rounds, seconds per burst, and number of process starts per implementation."""

    rounds: int
    burst_seconds: float
    starts: int


class Measured:
    """An implementation in this process.

    Args:
        name: key of ENTRIES.
        setup: spectrogram parameters.
        bank: mel filterbank, `(n_mels, n_fft // 2 + 1)`.
    """

    def __init__(self, name: str, setup: Setup, bank: Floats) -> None:
        self._y = setup.signal()
        hops = self._y[: len(self._y) // setup.hop_length * setup.hop_length].reshape(-1, setup.hop_length)
        self._hops = itertools.cycle(list(hops))
        self._out = np.empty((setup.n_mels, 1), np.float32, order="F")
        before_mb, start_s = _resident_megabytes(), time.perf_counter()
        self._implementation = ENTRIES[name].make(setup, bank)
        self._implementation.batch(self._y[: setup.sr])
        self._first = time.perf_counter() - start_s, _resident_megabytes() - before_mb

    def startup(self) -> Startup:
        """Compute one batch and the first hops of a stream."""
        result = self._implementation.batch(self._y)
        if not hasattr(self._implementation, "push"):
            return Startup(*self._first, result.shape[1], None, None)
        frames = [np.array(self._implementation.push(next(self._hops), self._out)) for _ in range(STREAMED_HOPS)]
        return Startup(*self._first, result.shape[1], result, np.concatenate(frames, axis=1))

    def burst(self, kind: str, repeats: int) -> Burst:
        """Time `repeats` calls of kind "frame" (a batch) or "hop", after a warm-up that refills the caches."""
        self._call(kind, max(1, repeats // 10))
        start_s, cpu_start_s = time.perf_counter(), time.process_time()
        self._call(kind, repeats)
        return Burst(time.perf_counter() - start_s, time.process_time() - cpu_start_s)

    def _call(self, kind: str, repeats: int) -> None:
        if kind == "frame":
            for _ in range(repeats):
                self._implementation.batch(self._y)
        else:
            push, out = self._implementation.push, self._out
            for y in itertools.islice(self._hops, repeats):
                push(y, out)


def _resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _serve(pipe: Connection, name: str, setup: Setup, bank: Floats) -> None:
    """Main function of a child process.

    Sends a Startup (or an error message, then ends), then a Burst for every `(kind, repeats)` until None is received.
    """
    try:
        measured = Measured(name, setup, bank)
        pipe.send(measured.startup())
    except Exception as error:  # a library that fails must not stop the benchmark
        pipe.send(f"{type(error).__name__}: {error}")
        return
    gc.disable()  # as timeit does
    while (request := pipe.recv()) is not None:
        pipe.send(measured.burst(*request))


class Worker:
    """The child process of an implementation, as the parent sees it.

    Attributes:
        startup: the child's first message.
        kinds: kinds of calls that the implementation supports, "frame" and perhaps "hop".
        unit_seconds: per kind, seconds per frame or hop of each burst.
        cores: CPU seconds per wall-clock second of each burst.

    Raises:
        RuntimeError: the child cannot start.
    """

    def __init__(self, name: str, setup: Setup, bank: Floats) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(target=_serve, args=(child_pipe, name, setup, bank), daemon=True)
        self._process.start()
        child_pipe.close()
        message: Startup | str
        try:
            message = self._pipe.recv()
        except EOFError:
            message = "the process died"
        if isinstance(message, str):
            self._process.join()
            raise RuntimeError(message)
        self.startup = message
        self.kinds = ("frame",) if message.db is None else ("frame", "hop")
        self._repeats = dict.fromkeys(self.kinds, 1)
        self.unit_seconds: dict[str, list[float]] = {kind: [] for kind in self.kinds}
        self.cores: list[float] = []

    def calibrate(self, burst_seconds: float) -> None:
        """Choose the number of calls per burst, at least one, so that a burst takes about `burst_seconds`."""
        for kind in self.kinds:
            self._repeats[kind] = max(1, round(burst_seconds / self._burst(kind, 5).seconds * 5))

    def run(self) -> None:
        """Time one burst of each kind."""
        for kind in self.kinds:
            repeats = self._repeats[kind]
            burst = self._burst(kind, repeats)
            units = repeats * (self.startup.frames if kind == "frame" else 1)
            self.unit_seconds[kind].append(burst.seconds / units)
            self.cores.append(burst.cpu_seconds / burst.seconds)

    def _burst(self, kind: str, repeats: int) -> Burst:
        self._pipe.send((kind, repeats))
        burst: Burst = self._pipe.recv()
        return burst

    def stop(self) -> None:
        """End the child process."""
        self._pipe.send(None)
        self._process.join()


def _start_worker(name: str, setup: Setup, bank: Floats, count: int) -> Worker:
    """Start a worker `count` times and keep the fastest start-up time: the first start may read from a cold disk."""
    worker = Worker(name, setup, bank)
    for _ in range(count - 1):
        worker.stop()
        before, worker = worker.startup, Worker(name, setup, bank)
        worker.startup = worker.startup._replace(seconds=min(before.seconds, worker.startup.seconds))
    return worker


def _max_difference(batch: Floats, streamed: Floats, setup: Setup, reference: Floats) -> float:
    """Return the largest difference from `reference`, in dB, over a batch and a stream."""
    from genre_edge.mel.spectrogram import ACCURATE_RANGE_DB  # not in the children, whose imports are timed

    near = reference >= reference.max(axis=0) - ACCURATE_RANGE_DB

    def largest(db: Floats, first: int) -> float:
        part = slice(first, first + db.shape[1])
        return float(np.abs(db - reference[:, part])[near[:, part]].max())

    # The frame of the last hop is centred n_fft/2 before its end.
    end = STREAMED_HOPS + 1 - setup.n_fft // 2 // setup.hop_length
    streamed = streamed[:, -min(end, streamed.shape[1]) :]
    return max(largest(batch[:, : reference.shape[1]], 0), largest(streamed, end - streamed.shape[1]))


def _figures(worker: Worker, setup: Setup, reference: Floats) -> dict[str, Any]:
    figures: dict[str, Any] = {
        f"us_per_{kind}": {"best": min(seconds) * 1e6, "median": median(seconds) * 1e6}
        for kind, seconds in worker.unit_seconds.items()
    }
    figures["cores"] = median(worker.cores)
    startup = worker.startup
    if startup.db is not None and startup.streamed is not None:  # the FFT alone has no start-up cost of interest
        figures |= {"start_ms": startup.seconds * 1e3, "start_mb": startup.megabytes}
        figures["max_db_difference"] = _max_difference(startup.db, startup.streamed, setup, reference)
    return figures


def _add_ratios(figures: dict[str, dict[str, Any]]) -> None:
    """Add the ratios of best times. A hop is compared with one transform, too."""
    fft = figures.get("r2c", {}).get("us_per_frame")
    ours = figures.get("ours", {})
    for own in figures.values():
        for kind in ("frame", "hop"):
            bases = {"r2c": fft, "ours": ours.get(f"us_per_{kind}")}
            for name, base in bases.items():
                if base and (times := own.get(f"us_per_{kind}")):
                    own[f"{kind}_to_{name}"] = times["best"] / base["best"]


def run_benchmark(
    names: list[str], setup: Setup, bank: Floats, reference: Floats, effort: Effort
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Measure implementations.

    Args:
        names: keys of ENTRIES.
        setup: spectrogram parameters.
        bank: mel filterbank, `(n_mels, n_fft // 2 + 1)`.
        reference: decibels of the signal, `(n_mels, frames)`.
        effort: how thoroughly to measure.

    Returns:
        Figures by name, and error messages by name of implementations that cannot start.
    """
    os.environ.update(ONE_THREAD)
    workers: dict[str, Worker] = {}
    failed: dict[str, str] = {}
    for name in names:
        try:
            workers[name] = _start_worker(name, setup, bank, effort.starts)
        except RuntimeError as error:
            failed[name] = str(error)
    order = list(workers.values())
    for worker in order:
        worker.calibrate(effort.burst_seconds)
    shuffle = random.Random(0).shuffle
    for _ in range(effort.rounds):
        shuffle(order)  # no implementation always runs after the same one
        for worker in order:
            worker.run()
    for worker in order:
        worker.stop()
    figures = {name: _figures(worker, setup, reference) for name, worker in workers.items()}
    _add_ratios(figures)
    return figures, failed
