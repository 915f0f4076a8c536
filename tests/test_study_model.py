"""tools/study_model.py and its conditions: what each does to a sound, and the page that it fills."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ROOT

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from training.conditions import CONDITIONS

RATE = 22050


def loudness(path: Path) -> tuple[float, int]:
    y, rate = soundfile.read(path, always_2d=True)
    return float(np.sqrt((y**2).mean())), rate


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_keeps_the_song_in_its_place(name: str, tmp_path: Path) -> None:
    if "mp3" in name and not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    t = np.arange(3 * RATE) / RATE
    y = (0.3 * np.sin(2 * np.pi * 1000 * t) * (t > 1)).astype(np.float32)
    path = CONDITIONS[name](y, RATE, tmp_path / "song")
    changed, rate = soundfile.read(path, always_2d=True)
    assert len(changed) / rate == pytest.approx(3, abs=0.1)
    spectrum = np.abs(np.fft.rfft(changed[:, 0]))
    assert np.argmax(spectrum) / (len(changed) / rate) == pytest.approx(1000, abs=5)
    early = np.std(changed[: int(0.8 * rate)])
    assert (early > 1e-3) == ("noise" in name)  # and silence stays silence


def test_conditions_do_what_they_say(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = (0.1 * rng.standard_normal(4 * RATE)).astype(np.float32)
    quiet, _ = loudness(CONDITIONS["30 dB quieter, 16 bits"](y, RATE, tmp_path / "quiet"))
    assert quiet / 0.1 == pytest.approx(10**-1.5, rel=0.05)
    telephone, rate = soundfile.read(CONDITIONS["telephone band, 8 kHz"](y, RATE, tmp_path / "telephone"))
    power = np.abs(np.fft.rfft(telephone)) ** 2
    f = np.fft.rfftfreq(len(telephone), 1 / rate)
    assert rate == 8000 and power[(f > 400) & (f < 3000)].mean() > 1000 * power[f < 200].mean()
    clipped, _ = soundfile.read(CONDITIONS["clipped, 5 % of the samples"](y, RATE, tmp_path / "clipped"))
    assert np.mean(np.abs(clipped) >= 1) == pytest.approx(0.05, abs=0.001)
    noisy, _ = soundfile.read(CONDITIONS["pink noise, 10 dB below"](y, RATE, tmp_path / "noisy"))
    assert np.std(noisy - y) / np.std(y) == pytest.approx(10**-0.5, rel=0.01)


def test_the_study_fills_its_page(tmp_path: Path) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "mel.npz", mel=rng.integers(0, 255, (2, 128, 387), dtype=np.uint8))
    (tmp_path / "audio").mkdir()
    with (tmp_path / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "track", "genre", "split", "audio", "audio_seconds", "audio_rate"])
        for row, genre in enumerate(("metal", "jazz")):
            soundfile.write(tmp_path / "audio" / f"{row}.wav", 0.1 * rng.standard_normal(30 * RATE), RATE)
            table.writerow([row, f"t{row}", genre, "valid", f"audio/{row}.wav", 30, RATE])
    for folder in ("sounds/hiss", "other/pop", "other/polka"):
        (tmp_path / folder).mkdir(parents=True)
        soundfile.write(tmp_path / folder / "a.wav", 0.1 * rng.standard_normal(4 * RATE), RATE)
    page = tmp_path / "card.md"
    page.write_text("before\n<!-- study:begin -->\n<!-- study:end -->\nafter\n")
    words = "--bundle edge --mels mel.npz --tracks tracks.csv --split valid --audio . --not-music sounds --other other"
    command = [sys.executable, str(ROOT / "tools" / "study_model.py"), *words.split(), "--write", str(page)]
    subprocess.run(command, cwd=tmp_path, check=True)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert all(f"\n| {name} | " in text for name in (*CONDITIONS, "hiss", "music of split valid", "pop", "polka"))
    assert "(not one of ours)" in text and "| all frequencies | 2 | " in text
