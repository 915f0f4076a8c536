"""`genre-edge doctor`: what is well, what is ill, and what to do about it."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from genre_edge.audio import microphone
from genre_edge.cli import app
from genre_edge.diagnostics import doctor, golden, timing
from genre_edge.diagnostics.doctor import Finding
from genre_edge.errors import GenreEdgeError
from genre_edge.mel import fftw
from genre_edge.mel.config import MelConfig
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model import interpreter
from genre_edge.model.bundle import Bundle
from genre_edge.system import machine
from tests.conftest import ROOT, Cli
from tests.helpers.bundles import TINY, variant

NAMES = ["system", "simd", "fftw", "runtime", "model", "mel", "network", "soundfile", "ffmpeg", "devices", "memory"]
NAMES += ["speed"]


def findings(model: "str | Path" = "edge") -> dict[str, Finding]:
    return dict(doctor.examine(str(model)))


def is_told(finding: Finding, state: str, value: str, advice: str) -> bool:
    return finding.state == state and value in finding.value and advice in (finding.advice or "")


def spoilt_golden(monkeypatch: pytest.MonkeyPatch, kind: str, by: float) -> None:
    """One golden number of each spectrogram, or of each network, is off."""
    content = golden.numbers()
    for rows in content[kind].values():
        rows[1][2] += by
    monkeypatch.setattr(golden, "numbers", lambda: content)


def test_json_is_one_object_with_every_check(cli: Cli) -> None:
    done = cli("doctor", "--json")
    report = json.loads(done.stdout)
    assert set(report) == {"healthy", "checks"}
    assert list(report["checks"]) == NAMES
    for check in report["checks"].values():
        assert set(check) == {"state", "value", "advice", "measured"}
        assert (check["state"] == "ok") == (check["advice"] is None) and check["value"]
    bad = [name for name, check in report["checks"].items() if check["state"] == "bad"]
    assert report["healthy"] == (bad == []) and done.returncode == (1 if bad else 0)
    assert set(bad) <= {"memory", "speed"}  # which are not ours to promise
    checks = report["checks"]
    assert 0 <= checks["mel"]["measured"] <= golden.DB_LIMIT
    assert 0 <= checks["network"]["measured"] <= golden.STEP_LIMIT
    assert checks["speed"]["measured"] > 0
    assert Bundle.load(ROOT / "models" / "edge").sha256[:16] in checks["model"]["value"]


def test_the_table_has_a_line_a_check_and_advice_below_what_is_not_well(cli: Cli) -> None:
    lines = cli("doctor").stdout.splitlines()
    told = [line.split()[:2] for line in lines if "to do: " not in line]
    assert [name for _, name in told] == NAMES
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        assert ("to do: " in following) == (line.split()[0] in ("warn", "bad"))


@pytest.mark.parametrize(
    ("kind", "check", "small", "large"), [("db", "mel", 4e-4, 6e-4), ("logits", "network", 0.12, 0.62)]
)
def test_other_numbers_than_the_golden_ones_are_bad(
    monkeypatch: pytest.MonkeyPatch, kind: str, check: str, small: float, large: float
) -> None:
    run = {"mel": doctor.mel, "network": lambda: doctor.network("edge")}[check]
    spoilt_golden(monkeypatch, kind, small)
    assert run().state == "ok"
    spoilt_golden(monkeypatch, kind, large)
    assert is_told(run(), "bad", "golden", "report it")


def test_a_golden_mismatch_is_exit_code_1_and_the_rest_is_still_told(monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt_golden(monkeypatch, "db", 0.5)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(done.stdout)
    assert done.exit_code == 1 and report["healthy"] is False
    assert report["checks"]["mel"]["state"] == "bad"
    assert report["checks"]["mel"]["measured"] == pytest.approx(0.5, abs=1e-3)
    assert report["checks"]["network"]["state"] == "ok"
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1 and "bad   mel" in done.stdout


@pytest.mark.parametrize("change", [1e-3, np.nan])
def test_a_stream_that_is_not_its_batch_is_bad(monkeypatch: pytest.MonkeyPatch, change: float) -> None:
    class Off(MelSpectrogram):
        def db(self, y: Any) -> Any:
            return super().db(y) + np.float32(change)

    monkeypatch.setattr(golden, "MelSpectrogram", Off)
    assert is_told(doctor.outcome(doctor.mel), "bad", "a stream gives other numbers", doctor.REINSTALL)


def test_a_model_of_one_s_own_meets_the_plain_kernels() -> None:
    assert is_told(doctor.network(str(TINY)), "ok", "plain kernels", "")


def test_a_damaged_model_is_bad_and_told_once(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(ROOT / "models" / "edge", folder)
    content = bytearray((folder / "model.tflite").read_bytes())
    content[1000] ^= 1
    (folder / "model.tflite").write_bytes(content)
    found = findings(folder)
    assert is_told(found["model"], "bad", "SHA-256", "make this bundle again")
    assert found["network"].advice == found["speed"].advice == "as for model"
    assert found["mel"].state == "ok"
    assert not doctor.healthy(found)


def test_an_installed_model_that_is_damaged_is_installed_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models" / "edge", tmp_path / "edge")
    (tmp_path / "edge" / "model.tflite").write_bytes(b"")
    monkeypatch.setattr("genre_edge.model.bundle.MODELS", tmp_path)
    assert doctor.bundle("edge").advice == doctor.REINSTALL


def test_a_model_that_is_not_there_is_wrong_usage(cli: Cli) -> None:
    done = cli("doctor", "--model", "nosuch")
    assert (done.returncode, done.stdout) == (2, "") and "no model 'nosuch'" in done.stderr


def test_without_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_told(doctor.ffmpeg(), "warn", "not found", "apt install ffmpeg")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\nexit 1\n", "does not tell"),
        ("#!/no/such/shell\n", "cannot be started"),
        ("#!/bin/sh\n", "does not"),
    ],
)
def test_an_ffmpeg_that_does_not_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, words: str) -> None:
    (tmp_path / "ffmpeg").write_text(script)
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert is_told(doctor.ffmpeg(), "warn", words, "apt install ffmpeg")


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_the_real_ffmpeg() -> None:
    assert is_told(doctor.ffmpeg(), "ok", str(shutil.which("ffmpeg")), "")


def test_without_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert is_told(doctor.devices(), "warn", "sounddevice", "pip install '.[live]'")


def test_sound_cards_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [microphone.Device(3, "USB [Audio]", 1, 48000, True)]
    monkeypatch.setattr(microphone, "devices", lambda: cards)
    assert doctor.devices() == Finding("ok", "1: 3 USB [Audio]", None, 1)
    cards.clear()
    assert is_told(doctor.devices(), "warn", "no sound card", "plug one in")


@pytest.mark.parametrize(("free", "state"), [(1000, "ok"), (100, "warn"), (20, "bad")])
def test_memory(monkeypatch: pytest.MonkeyPatch, free: float, state: str) -> None:
    monkeypatch.setattr(machine, "free_memory_mb", lambda: free)
    found = doctor.memory()
    assert (found.state, found.measured) == (state, free)


def test_free_memory_is_the_kernel_s_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  900000 kB\nMemFree:  10 kB\nMemAvailable:  250000 kB\n")
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "meminfo")
    assert machine.free_memory_mb() == 256
    monkeypatch.setattr(machine, "_MEMINFO", tmp_path / "none")
    assert machine.free_memory_mb() > 0


def test_a_processor_without_vectors_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MelSpectrogram, "lanes", 1)
    assert is_told(doctor.simd(), "warn", "1 floats", "64-bit")


def test_without_fftw_only_models_of_odd_frames_are_ill(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> None:
        raise GenreEdgeError("FFTW was not found: ...")

    monkeypatch.setattr(fftw, "ensure", missing)
    assert is_told(doctor.fftw("edge"), "warn", "odd sizes", "pip install pyfftw")
    assert doctor.mel().state == "ok"
    front_end = replace(Bundle.load(TINY).mel, n_fft=255)
    variant(tmp_path / "odd", mel=front_end)
    assert is_told(doctor.fftw(str(tmp_path / "odd")), "bad", "frames of 255", "pip install pyfftw")


@pytest.mark.parametrize(("origin", "words"), [("system", "the system's"), ("/x/libfftw3f.so", "pyFFTW's")])
def test_whose_fftw_it_is(monkeypatch: pytest.MonkeyPatch, origin: str, words: str) -> None:
    MelSpectrogram(MelConfig(n_fft=1023, n_mels=8))  # binds one
    monkeypatch.setattr(fftw, "ensure", lambda: origin)
    assert is_told(doctor.fftw("edge"), "ok", words, "")


def test_without_a_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter", "tflite_runtime", "tflite_runtime.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GenreEdgeError):
        interpreter.runtime()
    assert is_told(doctor.runtime(), "bad", "no TensorFlow Lite runtime", "pip install ai-edge-litert")
    found = findings()
    assert found["model"].state == "bad" and found["network"].advice == "as for model"


@pytest.mark.parametrize(("seconds", "state"), [(0.1, "ok"), (5, "warn"), (20, "bad")])
def test_speed_is_told_in_times_real_time(monkeypatch: pytest.MonkeyPatch, seconds: float, state: str) -> None:
    monkeypatch.setattr(timing, "time_of", lambda call, bursts: timing.Timing(seconds, seconds))
    found = doctor.speed("edge")
    assert found.state == state and found.measured == pytest.approx(10 / seconds)
    assert state == "ok" or "vcgencmd" in (found.advice or "")


def test_an_old_libsndfile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soundfile.available_formats", lambda: {"WAV": "", "OGG": ""})
    assert is_told(doctor.soundfile(), "warn", "cannot decode mp3", "--upgrade soundfile")


def test_no_advice_asks_an_index_for_genre_edge() -> None:
    """There, a stranger's package may have this name."""
    source = Path(doctor.__file__).read_text()
    assert not re.search(r"pip install[^\n]* '?genre-edge", source)
    assert doctor.REINSTALL.endswith("pip install --force-reinstall .")


def test_a_check_that_dies_is_a_finding() -> None:
    def dies() -> Finding:
        raise OSError("libsndfile.so:\n  not found")

    assert is_told(doctor.outcome(dies), "bad", "OSError: libsndfile.so: not found", doctor.REINSTALL)


def test_a_core_that_does_not_load_hides_nothing_else() -> None:
    program = (
        "import sys; sys.modules['genre_edge.mel._logmel'] = None; sys.argv = ['genre-edge', 'doctor', '--json']\n"
        "from genre_edge.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    checks = json.loads(done.stdout)["checks"]
    assert (done.returncode, done.stderr) == (1, "")
    assert checks["simd"]["state"] == "bad" and "_logmel" in checks["simd"]["value"]
    assert [checks[name]["state"] for name in ("system", "runtime", "soundfile")] == ["ok"] * 3


@pytest.mark.parametrize("command", ["doctor", "bench"])
def test_help_loads_nothing_heavy(command: str) -> None:
    program = (
        f"import sys; sys.argv = ['genre-edge', {command!r}, '--help']\n"
        "from genre_edge.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'numpy', 'soundfile', 'soxr', 'ai_edge_litert', 'sounddevice', 'timeit'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"
