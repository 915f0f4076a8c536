"""Contestants in processes of their own, timed in turns.

Each has a process, so that its import and its memory can be measured, and no two libraries' threads or allocators meet.
Only one of them ever works; the others wait for their turn on a pipe.
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

from tools.peers.peers import ENTRIES
from tools.peers.setups import Floats, Setup

STREAMED_HOPS = 100

# Numerical libraries read these when they are loaded, which is in the children.
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


class Start(NamedTuple):
    """What a new contestant says first."""

    seconds: float  # import and first call, on one second of the signal
    megabytes: float  # of resident memory that these added
    frames: int  # of a batch
    db: Floats | None  # of a batch
    streamed: Floats | None  # of the first STREAMED_HOPS hops


class Burst(NamedTuple):
    seconds: float
    cpu_seconds: float  # of all threads


class Pace(NamedTuple):
    """How thoroughly to measure."""

    rounds: int
    burst_seconds: float
    starts: int


class Contestant:
    """One contestant, in this process."""

    def __init__(self, name: str, setup: Setup, bank: Floats) -> None:
        self._y = setup.signal()
        hops = self._y[: len(self._y) // setup.hop_length * setup.hop_length].reshape(-1, setup.hop_length)
        self._hops = itertools.cycle(list(hops))
        self._out = np.empty((setup.n_mels, 1), np.float32, order="F")
        before, began = _resident_megabytes(), time.perf_counter()
        self._peer = ENTRIES[name].make(setup, bank)
        self._peer.batch(self._y[: setup.sr])
        self._first = time.perf_counter() - began, _resident_megabytes() - before

    def start(self) -> Start:
        result = self._peer.batch(self._y)
        if not hasattr(self._peer, "push"):
            return Start(*self._first, result.shape[1], None, None)
        frames = [np.array(self._peer.push(next(self._hops), self._out)) for _ in range(STREAMED_HOPS)]
        return Start(*self._first, result.shape[1], result, np.concatenate(frames, axis=1))

    def burst(self, kind: str, repeats: int) -> Burst:
        """Time `repeats` calls for a "frame" (a batch) or a "hop", after some that bring back what others displaced."""
        self._call(kind, max(1, repeats // 10))
        began, cpu_began = time.perf_counter(), time.process_time()
        self._call(kind, repeats)
        return Burst(time.perf_counter() - began, time.process_time() - cpu_began)

    def _call(self, kind: str, repeats: int) -> None:
        if kind == "frame":
            for _ in range(repeats):
                self._peer.batch(self._y)
        else:
            push, out = self._peer.push, self._out
            for y in itertools.islice(self._hops, repeats):
                push(y, out)


def _resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _serve(pipe: Connection, name: str, setup: Setup, bank: Floats) -> None:
    """The child's life: a Start (or a text, why there is none), then a Burst for every request until None."""
    try:
        contestant = Contestant(name, setup, bank)
        pipe.send(contestant.start())
    except Exception as error:  # whatever is wrong with a peer, the others go on
        pipe.send(f"{type(error).__name__}: {error}")
        return
    gc.disable()  # as timeit does; what is timed makes no cycles
    while (request := pipe.recv()) is not None:
        pipe.send(contestant.burst(*request))


class Runner:
    """A contestant's process, seen from here. Raises RuntimeError if it cannot start."""

    def __init__(self, name: str, setup: Setup, bank: Floats) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, setup, bank), daemon=True)
        self._process.start()
        theirs.close()
        try:
            answer = self._pipe.recv()
        except EOFError:
            answer = "its process died"
        if isinstance(answer, str):
            self._process.join()
            raise RuntimeError(answer)
        self.start: Start = answer
        self.kinds = ("frame",) if answer.db is None else ("frame", "hop")
        self._repeats = dict.fromkeys(self.kinds, 1)
        self.unit_seconds: dict[str, list[float]] = {kind: [] for kind in self.kinds}
        self.cores: list[float] = []

    def aim(self, burst_seconds: float) -> None:
        """Choose how many calls make a burst of about this length; at least one."""
        for kind in self.kinds:
            self._repeats[kind] = max(1, round(burst_seconds / self._ask(kind, 5).seconds * 5))

    def run(self) -> None:
        """A burst of each kind."""
        for kind in self.kinds:
            repeats = self._repeats[kind]
            burst = self._ask(kind, repeats)
            units = repeats * (self.start.frames if kind == "frame" else 1)
            self.unit_seconds[kind].append(burst.seconds / units)
            self.cores.append(burst.cpu_seconds / burst.seconds)

    def _ask(self, kind: str, repeats: int) -> Burst:
        self._pipe.send((kind, repeats))
        return self._pipe.recv()

    def stop(self) -> None:
        self._pipe.send(None)
        self._process.join()


def _starts(name: str, setup: Setup, bank: Floats, count: int) -> Runner:
    """A runner, and the best of `count` starts: the first may have had to read its files from a disk."""
    runner = Runner(name, setup, bank)
    for _ in range(count - 1):
        runner.stop()
        before, runner = runner.start, Runner(name, setup, bank)
        runner.start = runner.start._replace(seconds=min(before.seconds, runner.start.seconds))
    return runner


def _difference(start: Start, setup: Setup, reference: Floats) -> float:
    """The largest, in dB, over a batch and a stream."""
    from genre_edge.mel.spectrogram import ACCURATE_RANGE_DB  # not in the children, whose imports are timed

    near = reference >= reference.max(axis=0) - ACCURATE_RANGE_DB

    def largest(db: Floats, first: int) -> float:
        part = slice(first, first + db.shape[1])
        return float(np.abs(db - reference[:, part])[near[:, part]].max())

    # The frame of the last hop is centred n_fft/2 before its end.
    end = STREAMED_HOPS + 1 - setup.n_fft // 2 // setup.hop_length
    streamed = start.streamed[:, -min(end, start.streamed.shape[1]) :]
    return max(largest(start.db[:, : reference.shape[1]], 0), largest(streamed, end - streamed.shape[1]))


def _figures(runner: Runner, setup: Setup, reference: Floats) -> dict[str, Any]:
    found: dict[str, Any] = {
        f"us_per_{kind}": {"best": min(seconds) * 1e6, "median": median(seconds) * 1e6}
        for kind, seconds in runner.unit_seconds.items()
    }
    found["cores"] = median(runner.cores)
    if runner.start.db is not None:  # else it makes no spectrogram, and what it costs to start is this program's doing
        found |= {"start_ms": runner.start.seconds * 1e3, "start_mb": runner.start.megabytes}
        found["max_db_difference"] = _difference(runner.start, setup, reference)
    return found


def _add_ratios(figures: dict[str, dict[str, Any]]) -> None:
    """Of best to best. A hop is compared with a transform, too."""
    fft = figures.get("r2c", {}).get("us_per_frame")
    ours = figures.get("ours", {})
    for own in figures.values():
        for kind in ("frame", "hop"):
            of = {"r2c": fft, "ours": ours.get(f"us_per_{kind}")}
            for other, theirs in of.items():
                if theirs and (mine := own.get(f"us_per_{kind}")):
                    own[f"{kind}_to_{other}"] = mine["best"] / theirs["best"]


def race(
    names: list[str], setup: Setup, bank: Floats, reference: Floats, pace: Pace
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Figures by contestant, and why others have none."""
    os.environ.update(ONE_THREAD)
    runners: dict[str, Runner] = {}
    failed: dict[str, str] = {}
    for name in names:
        try:
            runners[name] = _starts(name, setup, bank, pace.starts)
        except RuntimeError as error:
            failed[name] = str(error)
    turns = list(runners.values())
    for runner in turns:
        runner.aim(pace.burst_seconds)
    shuffle = random.Random(0).shuffle
    for _ in range(pace.rounds):
        shuffle(turns)  # nobody always follows the same one
        for runner in turns:
            runner.run()
    for runner in turns:
        runner.stop()
    figures = {name: _figures(runner, setup, reference) for name, runner in runners.items()}
    _add_ratios(figures)
    return figures, failed
