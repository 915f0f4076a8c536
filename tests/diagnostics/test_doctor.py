"""`genre-edge doctor`: findings and advice of each check."""

import json
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


def matches(finding: Finding, state: str, value: str, advice: str) -> bool:
    return finding.state == state and value in finding.value and advice in (finding.advice or "")


def alter_golden(monkeypatch: pytest.MonkeyPatch, kind: str, by: float) -> None:
    """Change one golden number of each spectrogram, or of each network."""
    content = golden.numbers()
    for rows in content[kind].values():
        rows[1][2] += by
    monkeypatch.setattr(golden, "numbers", lambda: content)


def test_doctor_json(cli: Cli) -> None:
    """The JSON report is one object with all checks."""
    done = cli("doctor", "--json")
    report = json.loads(done.stdout)
    assert set(report) == {"healthy", "checks"}
    assert list(report["checks"]) == NAMES
    for check in report["checks"].values():
        assert set(check) == {"state", "value", "advice", "measured"}
        assert (check["state"] == "ok") == (check["advice"] is None) and check["value"]
    bad = [name for name, check in report["checks"].items() if check["state"] == "bad"]
    assert report["healthy"] == (bad == []) and done.returncode == (1 if bad else 0)
    assert set(bad) <= {"memory", "speed"}  # they depend on the machine
    checks = report["checks"]
    assert 0 <= checks["mel"]["measured"] <= golden.DB_LIMIT
    assert 0 <= checks["network"]["measured"] <= golden.STEP_LIMIT
    assert checks["speed"]["measured"] > 0
    assert Bundle.load(ROOT / "models" / "edge").sha256[:16] in checks["model"]["value"]


@pytest.mark.slow
def test_doctor_table(cli: Cli) -> None:
    """The table has a line for each check, and advice below each that is not ok."""
    lines = cli("doctor").stdout.splitlines()
    names = [line.split()[:2] for line in lines if "to do: " not in line]
    assert [name for _, name in names] == NAMES
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        assert ("to do: " in following) == (line.split()[0] in ("warn", "bad"))


@pytest.mark.parametrize(
    ("kind", "check", "small", "large"),
    [("db", "mel", 4e-4, 6e-4), ("mfcc", "mel", 3e-3, 7e-3), ("logits", "network", 0.12, 1.0)],
)
def test_golden_mismatch_is_bad(
    monkeypatch: pytest.MonkeyPatch, kind: str, check: str, small: float, large: float
) -> None:
    """A golden number that differs by more than the limit is `bad`, a smaller difference is `ok`.

    A logit of 1 is ten int8 steps: more than the limit even if the kernels differ by four in the other direction.
    """
    run = {"mel": doctor.mel, "network": lambda: doctor.network("edge")}[check]
    alter_golden(monkeypatch, kind, small)
    assert run().state == "ok"
    alter_golden(monkeypatch, kind, large)
    assert matches(run(), "bad", "golden", "report it")


def test_resampler_mismatch_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resampled audio with another value or length is `bad`."""
    content = golden.numbers()
    content["resampled"][100] += 2e-5
    monkeypatch.setattr(golden, "numbers", lambda: content)
    assert matches(doctor.mel(), "bad", "resampled audio differs", "report it")
    del content["resampled"][-1]
    assert matches(doctor.run_check(doctor.mel), "bad", "743 samples instead of 742", doctor.REINSTALL)


@pytest.mark.slow
def test_golden_mismatch_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A golden mismatch gives exit code 1, and the other checks still run."""
    alter_golden(monkeypatch, "db", 0.5)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(done.stdout)
    assert done.exit_code == 1 and report["healthy"] is False
    assert report["checks"]["mel"]["state"] == "bad"
    assert report["checks"]["mel"]["measured"] == pytest.approx(0.5, abs=1e-3)
    assert report["checks"]["network"]["state"] == "ok"
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1 and "bad   mel" in done.stdout


@pytest.mark.parametrize("change", [1e-3, np.nan])
def test_stream_unlike_whole_signal_is_bad(monkeypatch: pytest.MonkeyPatch, change: float) -> None:
    """Frames of a stream that differ from those of the whole signal are `bad`."""

    class Inexact(MelSpectrogram):
        def db(self, y: Any) -> Any:
            return super().db(y) + np.float32(change)

    monkeypatch.setattr(golden, "MelSpectrogram", Inexact)
    assert matches(
        doctor.run_check(doctor.mel), "bad", "a stream and the whole signal yield different values", doctor.REINSTALL
    )


def test_network_of_custom_model() -> None:
    """A model without golden numbers is compared with the reference kernels."""
    assert matches(doctor.network(str(TINY)), "ok", "reference kernels", "")


def test_damaged_model_reported_once(tmp_path: Path) -> None:
    """A damaged model is reported by its own check; dependent checks refer to it."""
    folder = tmp_path / "mine"
    shutil.copytree(ROOT / "models" / "edge", folder)
    content = bytearray((folder / "model.tflite").read_bytes())
    content[1000] ^= 1
    (folder / "model.tflite").write_bytes(content)
    checks = findings(folder)
    assert matches(checks["model"], "bad", "SHA-256", "export this bundle again")
    assert checks["network"].advice == checks["speed"].advice == "see model"
    assert checks["mel"].state == "ok"
    assert not doctor.healthy(checks)


def test_damaged_installed_model_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The advice for a damaged installed model is to reinstall."""
    shutil.copytree(ROOT / "models" / "edge", tmp_path / "edge")
    (tmp_path / "edge" / "model.tflite").write_bytes(b"")
    monkeypatch.setattr("genre_edge.model.bundle.MODELS", tmp_path)
    assert doctor.bundle("edge").advice == doctor.REINSTALL


def test_doctor_unknown_model(invoke: Cli) -> None:
    """An unknown model name is wrong usage."""
    done = invoke("doctor", "--model", "nosuch")
    assert (done.returncode, done.stdout) == (2, "") and "no model 'nosuch'" in done.stderr


def test_ffmpeg_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing ffmpeg is a warning that names the package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert matches(doctor.ffmpeg(), "warn", "not found", "apt install ffmpeg")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\nexit 1\n", "does not report"),
        ("#!/no/such/shell\n", "cannot be started"),
        ("#!/bin/sh\n", "does not"),
    ],
)
def test_ffmpeg_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, words: str) -> None:
    """An ffmpeg that fails or cannot be started is a warning."""
    (tmp_path / "ffmpeg").write_text(script)
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert matches(doctor.ffmpeg(), "warn", words, "apt install ffmpeg")


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_ffmpeg_installed() -> None:
    """The finding names the path of ffmpeg."""
    assert matches(doctor.ffmpeg(), "ok", str(shutil.which("ffmpeg")), "")


def test_devices_without_sounddevice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing sounddevice is a warning that names the extra."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert matches(doctor.devices(), "warn", "sounddevice", "pip install 'genre-edge[live]'")


def test_devices_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Capture devices are listed; without any there is a warning."""
    cards = [microphone.Device(3, "USB [Audio]", 1, 48000, True)]
    monkeypatch.setattr(microphone, "devices", lambda: cards)
    assert doctor.devices() == Finding("ok", "1: 3 USB [Audio]", None, 1)
    cards.clear()
    assert matches(doctor.devices(), "warn", "no capture device", "connect a microphone")


@pytest.mark.parametrize(("free", "state"), [(1000, "ok"), (100, "warn"), (20, "bad")])
def test_memory_states(monkeypatch: pytest.MonkeyPatch, free: float, state: str) -> None:
    """Little free memory is a warning, very little is `bad`."""
    monkeypatch.setattr(machine, "free_memory_mb", lambda: free)
    finding = doctor.memory()
    assert (finding.state, finding.measured) == (state, free)


def test_memory_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that does not report its free memory is no problem."""
    monkeypatch.setattr(machine, "free_memory_mb", lambda: None)
    assert doctor.memory() == Finding("ok", "not reported by this system")


def test_simd_without_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core without SIMD is a warning."""
    monkeypatch.setattr(MelSpectrogram, "lanes", 1)
    assert matches(doctor.simd(), "warn", "1 floats", "64-bit")


def test_fftw_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without FFTW, only models with an unusual FFT length fail."""

    def missing() -> None:
        raise GenreEdgeError("FFTW was not found: ...")

    monkeypatch.setattr(fftw, "ensure_loaded", missing)
    assert matches(doctor.fftw("edge"), "warn", "unusual FFT lengths", "pip install pyfftw")
    assert doctor.mel().state == "ok"
    front_end = replace(Bundle.load(TINY).mel, n_fft=255)
    variant(tmp_path / "odd", mel=front_end)
    assert matches(doctor.fftw(str(tmp_path / "odd")), "bad", "n_fft = 255", "pip install pyfftw")


@pytest.mark.parametrize(("origin", "words"), [("system", "the system's"), ("/x/libfftw3f.so", "pyFFTW's")])
def test_fftw_origin(monkeypatch: pytest.MonkeyPatch, origin: str, words: str) -> None:
    """The finding names the origin of FFTW."""
    MelSpectrogram(MelConfig(n_fft=1023, n_mels=8))  # loads FFTW
    monkeypatch.setattr(fftw, "ensure_loaded", lambda: origin)
    assert matches(doctor.fftw("edge"), "ok", words, "")


def test_runtime_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a TensorFlow Lite runtime, its own and the model's check are `bad`."""
    for name in ("ai_edge_litert", "ai_edge_litert.interpreter"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GenreEdgeError):
        interpreter.runtime()
    assert matches(doctor.runtime(), "bad", "runtime is not installed", "pip install ai-edge-litert")
    checks = findings()
    assert checks["model"].state == "bad" and checks["network"].advice == "see model"


@pytest.mark.parametrize(("seconds", "state"), [(0.1, "ok"), (5, "warn"), (20, "bad")])
def test_speed_states(monkeypatch: pytest.MonkeyPatch, seconds: float, state: str) -> None:
    """A speed near real time is a warning, below it `bad`."""
    monkeypatch.setattr(timing, "time_call", lambda call, bursts: timing.Timing(seconds, seconds))
    finding = doctor.speed("edge")
    assert finding.state == state and finding.measured == pytest.approx(10 / seconds)
    assert state == "ok" or "vcgencmd" in (finding.advice or "")


def test_soundfile_old_libsndfile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A libsndfile without MP3 is a warning."""
    monkeypatch.setattr("soundfile.available_formats", lambda: {"WAV": "", "OGG": ""})
    assert matches(doctor.soundfile(), "warn", "cannot decode mp3", "--upgrade soundfile")


def test_run_check_exception() -> None:
    """An exception of a check becomes a finding."""

    def fails() -> Finding:
        raise OSError("libsndfile.so:\n  not found")

    assert matches(doctor.run_check(fails), "bad", "OSError: libsndfile.so: not found", doctor.REINSTALL)


@pytest.mark.slow
def test_doctor_without_core() -> None:
    """A core that cannot be loaded fails its own checks only."""
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
