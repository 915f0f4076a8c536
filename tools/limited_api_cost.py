"""Measure what Python's limited API costs the binding: the core built with and without it, side by side in one process.

    python3.12 -m tools.limited_api_cost [--rounds 400]

Needs Python 3.12 or newer with numpy, Cython, setuptools and a C compiler. Prints the times of a hop (one `push` of
512 samples, with a new array and with `out`) and of a frame of three seconds in one call, in ns, and the ratio.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
HOP, SR, SECONDS = 512, 22050, 3
PLAN = {
    **{"sr": float(SR), "n_fft": 2048, "win_length": 2048, "hop_length": HOP, "center": True, "reflect": False},
    **{"power": 2, "n_mels": 128, "fmin": 0.0, "fmax": SR / 2, "htk": False, "norm": True, "decibel": True},
    **{"n_mfcc": 0, "lifter": 0.0, "lanes": 0, "measure": False},
}
CALLS = 100  # of a measurement


def build(folder: Path, is_limited: bool) -> Any:
    """Build the binding in a folder and import it, under a name of its own."""
    environment = os.environ | ({} if is_limited else {"GENRE_EDGE_FULL_API": "1"})
    command = [sys.executable, "setup.py", "-q", "build_ext", "--force"]
    command += ["--build-lib", str(folder / "lib"), "--build-temp", str(folder / "temp")]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    (path,) = (folder / "lib").rglob("_logmel*.so")
    spec = spec_from_file_location(f"{folder.name}._logmel", path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(stream: Any) -> tuple[float, float, float]:
    """Return the times in ns of a hop with a new array, a hop with `out`, and a frame of one call."""
    y = np.random.default_rng(0).standard_normal(SR * SECONDS).astype(np.float32)
    hop, out = y[:HOP].copy(), np.empty((128, 1), np.float32, "F")
    stream.reset()
    stream.push(y[: 8 * HOP])
    moments = [time.perf_counter_ns()]
    for _ in range(CALLS):
        stream.push(hop)
    moments.append(time.perf_counter_ns())
    for _ in range(CALLS):
        stream.push(hop, out)
    moments.append(time.perf_counter_ns())
    stream.reset()
    moments.append(time.perf_counter_ns())
    n_frames = stream.push(y).shape[1]
    moments.append(time.perf_counter_ns())
    new, into, _, frames = np.diff(moments)
    return new / CALLS, into / CALLS, frames / n_frames


def main() -> None:
    """Build, measure alternately and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    n_rounds = parser.parse_args().rounds
    if sys.version_info < (3, 12):
        sys.exit("limited_api_cost: needs Python 3.12 or newer: the binding of older ones does not use the limited API")
    with tempfile.TemporaryDirectory() as folder:
        modules = [build(Path(folder, name), is_limited) for name, is_limited in (("full", False), ("limited", True))]
        streams = [module.Stream(module.Plan(**PLAN)) for module in modules]
        rounds = []
        for i in range(n_rounds):
            pair = [measure(stream) for stream in (streams if i % 2 else streams[::-1])]
            rounds.append(pair if i % 2 else pair[::-1])
        figures = np.array(rounds)  # (rounds, API, kind)
    print(
        "| | full API, ns | limited API, ns | ratio of the least | median ratio |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for i, name in enumerate(("hop, new array", "hop, `out`", "frame of one call")):
        full, limited = figures[:, 0, i], figures[:, 1, i]
        ratios = f"{limited.min() / full.min():.3f} | {median(limited / full):.3f}"
        print(f"| {name} | {full.min():.0f} | {limited.min():.0f} | {ratios} |")


if __name__ == "__main__":
    main()
