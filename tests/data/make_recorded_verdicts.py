"""Make tests/data/recorded_verdicts.json: the verdicts of seeded signals with gaps and of the demo song.

Run by hand (`python tests/data/make_recorded_verdicts.py`) after a deliberate change of results, then commit the file.
tests/classify/test_recorded_verdicts.py compares the present code's verdicts with it. The first recording is of version
0.1.0, before `classify` was rewritten around `StreamPredictor`.
"""

import json
import math
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from genre_edge import Classifier, Verdict
from genre_edge.audio import Block, Source
from genre_edge.audio.files import open_file

DATA = Path(__file__).parent
RECORDING = DATA / "recorded_verdicts.json"
SONG = DATA.parents[1] / "demo" / "song.ogg"
THRESHOLD = 0.58  # of the tiny bundle's verdicts: "low_confidence" is among them
INTERVALS_S = (0.4, 1.3, math.inf)
WINDOWS_S = (None, 0.0, 0.7)

# Stretches (dropped samples before it, sampling rate in Hz, samples). The tiny bundle's patch is 1024 samples at 8 kHz.
Stretch = tuple[int, int, int]
SIGNALS: dict[str, list[Stretch]] = {
    "no gap": [(0, 8000, 30_000)],
    "short gap": [(0, 8000, 12_345), (700, 8000, 17_000)],
    "gap of one patch less a sample": [(0, 8000, 9000), (1023, 8000, 9000)],
    "gap of one patch": [(0, 8000, 9000), (1024, 8000, 9000)],
    "long gap": [(0, 8000, 20_001), (80_000, 8000, 15_000)],
    "gap before the first block": [(4000, 8000, 16_000)],
    "gap before the last samples": [(0, 8000, 16_000), (5000, 8000, 10)],
    "gaps around stretches below a second": [(0, 8000, 500), (300, 8000, 7900), (2000, 8000, 90), (5000, 8000, 700)],
    "rate change": [(0, 8000, 16_000), (0, 44_100, 60_000), (0, 8000, 9000)],
    "rate change with gaps": [(0, 22_050, 50_000), (24_000, 48_000, 70_000), (3, 8000, 10_000)],
    "too short": [(0, 8000, 700)],
}


def melody(n: int, rate: int, seed: int) -> np.ndarray:
    """Return `(n,)` float32: quarter seconds of tones, mixtures, noise and silence, bit-identical on all machines."""
    random = np.random.RandomState(seed)
    time = np.arange(n) / rate
    y = np.zeros(n)
    for start in range(0, n, rate // 4):
        part = slice(start, start + rate // 4)
        for hz in ([150], [1000], [3000], [180, 1100], [900, 3100], [])[random.randint(6)]:
            y[part] += 0.4 * np.abs(2 * (hz * time[part] % 1) - 1) - 0.2
        if random.randint(4):
            y[part] += 0.02 * (random.random_sample(len(y[part])) - 0.5)
    return y.astype(np.float32)


class SeededSource(Source):
    """The stretches of one signal as blocks of seeded sizes."""

    def __init__(self, name: str) -> None:
        self.name, self.rate, self.channels = name, SIGNALS[name][0][1], 1

    def blocks(self) -> Iterator[Block]:
        seed = sum(map(ord, self.name))
        random = np.random.RandomState(seed)
        position, before = 0, self.rate
        for i, (dropped, rate, n) in enumerate(SIGNALS[self.name]):
            position = position * rate // before + dropped
            y, at, before = melody(n, rate, seed + i), 0, rate
            while at < n:
                size = random.randint(1, rate // 2)
                yield Block(y[at : at + size], rate, position, dropped if at == 0 else 0)
                position += len(y[at : at + size])
                at += size


def record(verdict: Verdict) -> dict[str, Any]:
    """Return the parts of a verdict that do not depend on the clock or the model file's version."""
    return {
        "start_s": verdict.start_s,
        "end_s": verdict.end_s,
        "genre": verdict.genre,
        "reason": verdict.reason,
        "confidence": verdict.confidence,
        "probabilities": [round(item.probability, 3) for item in sorted(verdict.genres, key=attrgetter("genre"))],
        "dropped_samples": verdict.dropped_samples,
        "segments": [[s.start_s, s.end_s, s.genre, s.reason, s.confidence] for s in verdict.segments],
    }


def recordings() -> dict[str, list[dict[str, Any]]]:
    """Return the verdicts of all signals at all settings, by signal and settings."""
    tiny, edge = Classifier(DATA / "tiny", threshold=THRESHOLD), Classifier("edge")
    result = {}
    for name in SIGNALS:
        for interval_s in INTERVALS_S:
            for window_s in WINDOWS_S:
                segments = interval_s >= 1 and window_s is None
                verdicts = tiny.stream(SeededSource(name), interval_s, segments, window_s)
                result[f"{name}, interval {interval_s} s, window {window_s} s"] = list(map(record, verdicts))
    for interval_s, window_s in ((5.0, None), (5.0, 15.0), (math.inf, None)):
        with open_file(SONG) as source:
            verdicts = edge.stream(source, interval_s, segments=True, window_s=window_s)
            result[f"demo song, interval {interval_s} s, window {window_s} s"] = list(map(record, verdicts))
    return result


def main() -> None:
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in recordings().items()]
    RECORDING.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
