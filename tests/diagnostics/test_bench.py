"""`genre-edge bench`: the report's rows and their consistency. No test asserts a speed."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge.diagnostics import bench
from genre_edge.diagnostics.synthetic_audio import ArraySource, music, noise
from genre_edge.diagnostics.timing import format_number, time_call
from genre_edge.errors import GenreEdgeError
from genre_edge.mel.spectrogram import MelSpectrogram
from tests.conftest import Cli

QUICK = ("bench", "--seconds", 2, "--bursts", 2)
UNITS = {"µs", "ms", "x real time"}


def test_bench_json(cli: Cli, tmp_path: Path) -> None:
    """The JSON report has a row for each step, and no temporary file remains."""
    done = cli(*QUICK, "--json", env=os.environ | {"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (0, "", [])
    report = json.loads(done.stdout)
    assert set(report) == {"machine", "model", "seconds", "bursts", "results"}
    assert (report["model"], report["seconds"], report["bursts"]) == ("edge", 2, 2)
    assert {"processor", "os", "python", "lanes", "fftw"} == set(report["machine"])
    names = [row["name"] for row in report["results"]]
    assert len(set(names)) == len(names)
    for start in ("mel, a frame in one piece", "mel, a frame of a stream", "load and verify edge", "network, a patch"):
        assert any(name.startswith(start) for name in names)
    assert {"decode wav", "decode flac", "decode ogg", "classify wav"} <= set(names)
    for row in report["results"]:
        assert set(row) == {"name", "unit", "best", "median"} and row["unit"] in UNITS
        worst, best = sorted((row["best"], row["median"]), reverse=row["unit"] != "x real time")
        assert best == row["best"] and min(best, worst) > 0


@pytest.mark.slow
def test_bench_table_of_model(cli: Cli) -> None:
    """The table has the same rows, for the model that --model names."""
    done = cli(*QUICK, "--model", "paper")
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert (done.returncode, done.stderr) == (0, "")
    assert any("load and verify paper" in row for row in rows)
    assert all(float(row.split("│")[column]) > 0 for row in rows for column in (2, 3))
    assert all(row.split("│")[4].strip() in UNITS for row in rows)


@pytest.mark.parametrize(
    "arguments", [("--seconds", 0), ("--seconds", 301), ("--bursts", 0), ("--model", "nosuch"), ("--nonsense",)]
)
def test_bench_wrong_usage(invoke: Cli, arguments: tuple[object, ...]) -> None:
    """Wrong usage is an error with exit code 2."""
    done = invoke("bench", *arguments)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr


def test_write_files_unwritable_folder(tmp_path: Path) -> None:
    """A folder that cannot be written is a GenreEdgeError."""
    with pytest.raises(GenreEdgeError, match="cannot be written"):
        bench.write_files(tmp_path / "none", 1.0)


def test_write_files_content(tmp_path: Path) -> None:
    """The files have the synthetic music in stereo, in each format."""
    files = bench.write_files(tmp_path, 1.5)
    expected = music(1.5, bench.RATE)
    assert {"wav", "flac", "ogg"} <= set(files)
    for path in files.values():
        samples, rate = soundfile.read(path, dtype="float32")
        assert (rate, samples.shape[1]) == (bench.RATE, 2)
        assert len(samples) == pytest.approx(len(expected), abs=2 * 1152)  # mp3 pads
    assert np.abs(soundfile.read(files["wav"], dtype="float32")[0][:, 0] - expected).max() < 1e-4


def test_write_files_unsupported_format(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Formats that libsndfile cannot write are skipped."""
    monkeypatch.setattr("soundfile.available_formats", lambda: {"WAV": "", "FLAC": ""})
    assert set(bench.write_files(tmp_path, 0.2)) == {"wav", "flac"}


def test_one_hop_yields_one_frame() -> None:
    """Each call pushes one hop and gets one frame."""
    push = bench.one_hop(MelSpectrogram(), music(1.0, 22050))
    shapes = [np.shape(push()) for _ in range(100)]
    assert shapes[10:] == [(128, 1)] * 90


def test_time_call() -> None:
    """A function is called many times; its errors are raised."""
    calls: list[int] = []
    timing = time_call(lambda: calls.append(1), bursts=3)
    assert 0 < timing.best <= timing.median
    assert len(calls) > 3 * 10  # a burst of a fast function is many calls
    with pytest.raises(ZeroDivisionError):
        time_call(lambda: 1 / 0, bursts=1)


@pytest.mark.parametrize(("value", "text"), [(0.2944, "0.294"), (1.209, "1.21"), (39.6, "40"), (2886.1, "2886")])
def test_format_number(value: float, text: str) -> None:
    """Figures below ten have three significant digits; larger ones are rounded to integers."""
    assert format_number(value) == text


def test_music_is_bit_identical() -> None:
    """Synthetic music and noise have the same bits on every machine."""
    y = music(3.0, 22050)
    assert (y.dtype, y.shape) == (np.float32, (66150,)) and 0.3 < np.abs(y).max() <= 1
    assert hashlib.sha256(y.astype("<f4").tobytes()).hexdigest()[:16] == "53c12e31f606a09d"
    assert hashlib.sha256(noise(1000, 7).astype("<f4").tobytes()).hexdigest()[:16] == "2753822d32dc0322"


def test_array_source_blocks() -> None:
    """An ArraySource yields all samples in blocks of one second."""
    y = music(2.5, 8000)
    blocks = list(ArraySource(y, 8000).blocks())
    assert [block.position for block in blocks] == [0, 8000, 16000]
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), y)
