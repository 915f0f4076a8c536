"""tools/study_model.py and its conditions: what each does to a sound, and the page that it fills."""

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.conftest import ROOT

pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
from tools import study_model
from tools.fetch_sounds import DIFFERS
from tools.training import data
from tools.training.conditions import CONDITIONS, GENTLE

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


def material(folder: Path) -> list[str]:
    """Two tracks with audio, a sound that is no music, two folders of others' songs, a page -> the study's words."""
    rng = np.random.default_rng(0)
    np.savez(folder / "mel.npz", mel=rng.integers(0, 255, (2, 128, 387), dtype=np.uint8))
    (folder / "audio").mkdir()
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "track", "genre", "split", "artist_group", "audio"])
        for row, genre in enumerate(("metal", "jazz")):
            soundfile.write(folder / "audio" / f"{row}.wav", 0.1 * rng.standard_normal(30 * RATE), RATE)
            table.writerow([row, f"t{row}", genre, "held", "", f"audio/{row}.wav"])
    for part in ("sounds/hiss", "sounds/words", "other/pop", "other/polka"):
        (folder / part).mkdir(parents=True)
        soundfile.write(folder / part / "a.wav", 0.1 * rng.standard_normal(4 * RATE), RATE)
    (folder / "card.md").write_text("before\n<!-- study:begin -->\n<!-- study:end -->\nafter\n")
    words = "--bundle edge --mels mel.npz --tracks tracks.csv --split held --audio . --not-music sounds --other other"
    return [*words.split(), "--write", "card.md"]


def test_the_study_fills_its_page(tmp_path: Path) -> None:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    command = [sys.executable, str(ROOT / "tools" / "study_model.py"), *material(tmp_path)]
    subprocess.run(command, cwd=tmp_path, check=True)
    text = (tmp_path / "card.md").read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert all(f"\n| {name} | " in text for name in (*CONDITIONS, "hiss", "music of split held", "pop", "polka"))
    assert "(not one of ours)" in text and "| all frequencies | 2 | " in text
    assert "tracks with audio, 0\nhave less than 29 s" in text
    words = next(line for line in text.splitlines() if line.startswith("| words | "))
    assert words.endswith(f"| {DIFFERS['words']} |")
    assert "Expected calibration error of the " in text and "artists" not in text  # none are known


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda f: (f / "audio" / "1.wav").unlink(), "audio/1.wav: no audio file that can be read"),
        (lambda f: (f / "audio" / "1.wav").write_text("noise"), "audio/1.wav: no audio file that can be read"),
        (lambda f: shutil.rmtree(f / "sounds"), "sounds: no folders of audio"),
        (lambda f: shutil.rmtree(f / "other"), "other: no folders of audio"),
        (lambda f: (f / "sounds" / "empty").mkdir(), "sounds/empty: no audio of 1 s or more"),
        (lambda f: (f / "tracks.csv").write_text("row,track,genre\n0,t0,metal\n"), "no tracks of split 'held'"),
        (lambda f: (f / "tracks.csv").write_text("row,track,genre,split\n0,t0,metal,held\n"), "with audio"),
        (lambda f: (f / "mel.npz").unlink(), "mel.npz: no mel archive"),
        (lambda f: (f / "card.md").write_text("no marks"), "card.md has no lines"),
        (lambda f: (f / "card.md").unlink(), "card.md: "),
    ],
)
def test_the_study_looks_at_everything_first(
    spoil: Callable[[Path], Any], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = material(tmp_path)
    spoil(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["study_model.py", *words])
    monkeypatch.setattr(study_model.shutil, "which", lambda tool: tool)
    monkeypatch.setattr(study_model, "study", lambda *arguments: pytest.fail("too late"))
    with pytest.raises(SystemExit, match=complaint):
        study_model.main()


def test_a_bundle_that_knows_the_split_is_not_studied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = [word.replace("held", "valid") for word in material(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["study_model.py", *words])
    monkeypatch.setattr(study_model.shutil, "which", lambda tool: tool)
    with pytest.raises(SystemExit, match="edge knows split 'valid'"):
        study_model.main()


def test_what_misses_the_aim_is_named() -> None:
    true: list[str] = ["a"] * 50

    def heard(wrong: int) -> list[str | None]:
        return [None] * wrong + ["a"] * (50 - wrong)

    names = (
        "as it is",
        "mp3, 64 kbit/s",
        "30 dB quieter, 16 bits",
        "telephone band, 8 kHz",
        "clipped, 5 % of the samples",
    )
    assert set(names) <= set(CONDITIONS) and set(GENTLE) < set(CONDITIONS)
    table = study_model.conditions_table(dict(zip(names, map(heard, (5, 7, 4, 10, 11)), strict=True)), true)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:7]]
    assert [(row[0], row[3]) for row in rows] == list(zip(names, ["0.0", "4.0", "-2.0", "10.0", "12.0"], strict=True))
    assert table.endswith("missed by: mp3, 64 kbit/s (4.0); clipped, 5 % of the samples (12.0).")
    assert study_model.conditions_table({"as it is": heard(1)}, true).endswith("no row misses it.")


def test_the_artists_behind_a_recall_are_counted() -> None:
    frames = np.zeros((128, 1), dtype=np.float32)
    groups = {"blues": ["1", "1", "2", ""], "rock": ["1", "3"]}
    tracks = [data.Track("t", genre, "held", frames, group) for genre in groups for group in groups[genre]]
    assert "blues 2 (4), rock 2 (2)" in study_model.artists(tracks, "held")
