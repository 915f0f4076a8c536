"""Recording conditions of tools/study_model.py."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tools.training import conditions
from tools.training.conditions import CONDITIONS, ENCODED, allowed_loss

RATE = 22050
SPEEDS = {"4 % faster": 1.04, "4 % slower": 1 / 1.04}
PROGRAM = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")


def rms_and_rate(path: Path) -> tuple[float, int]:
    y, rate = soundfile.read(path, always_2d=True)
    return float(np.sqrt((y**2).mean())), rate


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[PROGRAM] if "kbit/s" in name else []) for name in CONDITIONS]
)
def test_condition_timing_and_pitch(name: str, tmp_path: Path) -> None:
    """Only speed shifts the audio in time or frequency; silence stays silent except with noise."""
    t = np.arange(3 * RATE) / RATE
    y = (0.3 * np.sin(2 * np.pi * 1000 * t) * (t > 1)).astype(np.float32)
    path = CONDITIONS[name](y, RATE, tmp_path / "song")
    changed, rate = soundfile.read(path, always_2d=True)
    speed = SPEEDS.get(name, 1.0)
    assert len(changed) / rate == pytest.approx(3 / speed, abs=0.1 if "kbit/s" in name else 0.001)
    spectrum = np.abs(np.fft.rfft(changed[:, 0]))
    assert np.argmax(spectrum) / (len(changed) / rate) == pytest.approx(1000 * speed, abs=5)
    early = np.std(changed[: int(0.8 * rate)])
    assert (early > 1e-3) == ("noise" in name)


def test_condition_levels_and_bands(tmp_path: Path) -> None:
    """Levels, band limit, clipping and noise level are as named."""
    rng = np.random.default_rng(0)
    y = (0.1 * rng.standard_normal(4 * RATE)).astype(np.float32)
    quiet, _ = rms_and_rate(CONDITIONS["30 dB quieter, 16 bits"](y, RATE, tmp_path / "quiet"))
    assert quiet / 0.1 == pytest.approx(10**-1.5, rel=0.05)
    loud, _ = rms_and_rate(CONDITIONS["12 dB louder, float"](y, RATE, tmp_path / "loud"))
    assert loud / 0.1 == pytest.approx(10**0.6, rel=0.01)  # not clipped
    telephone, rate = soundfile.read(CONDITIONS["telephone band, 8 kHz"](y, RATE, tmp_path / "telephone"))
    power = np.abs(np.fft.rfft(telephone)) ** 2
    f = np.fft.rfftfreq(len(telephone), 1 / rate)
    assert rate == 8000 and power[(f > 400) & (f < 3000)].mean() > 1000 * power[f < 200].mean()
    clipped, _ = soundfile.read(CONDITIONS["clipped, 5 % of the samples"](y, RATE, tmp_path / "clipped"))
    assert np.mean(np.abs(clipped) >= 1) == pytest.approx(0.05, abs=0.001)
    noisy, _ = soundfile.read(CONDITIONS["pink noise, 10 dB below"](y, RATE, tmp_path / "noisy"))
    assert np.std(noisy - y) / np.std(y) == pytest.approx(10**-0.5, rel=0.01)


def test_allowed_loss_of_each_condition() -> None:
    """Every codec and level has a target; the reference, speed and clipping have none."""
    without = {name for name in CONDITIONS if allowed_loss(name) is None}
    assert without == {"unchanged", *SPEEDS, "clipped, 5 % of the samples"}
    strict = {name for name in CONDITIONS if allowed_loss(name) == 1}
    assert strict == {name for name in CONDITIONS if "bit" in name or "dB louder" in name}
    assert [allowed_loss(name) for name in CONDITIONS if allowed_loss(name) not in (None, 1)] == [8, 4, 8]
    assert set(ENCODED) <= set(CONDITIONS)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(), "ffmpeg is required to encode mp3 and Opus, and is not installed"),
        (subprocess.CalledProcessError(1, "ffmpeg"), "ffmpeg cannot encode mp3, 64 kbit/s"),
    ],
)
def test_check_encoders_names_missing(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing ffmpeg, or one without an encoder, is an error of one line."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(conditions.subprocess, "run", fail)
    with pytest.raises(SystemExit, match=message):
        conditions.check_encoders()


@PROGRAM
def test_check_encoders_accepts_ffmpeg() -> None:
    """An ffmpeg with both encoders is accepted."""
    conditions.check_encoders()
