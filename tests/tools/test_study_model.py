"""tools/study_model.py and its recording conditions."""

import csv
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.helpers.training import run_main

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from tools import study_model
from tools.fetch_sounds import TEST_DIFFERENCES
from tools.training import data
from tools.training.conditions import CODECS_AND_LEVELS, CONDITIONS

RATE = 22050


def rms_and_rate(path: Path) -> tuple[float, int]:
    y, rate = soundfile.read(path, always_2d=True)
    return float(np.sqrt((y**2).mean())), rate


@pytest.mark.parametrize("name", CONDITIONS)
def test_condition_keeps_timing_and_pitch(name: str, tmp_path: Path) -> None:
    """No condition shifts the audio in time or frequency; silence stays silent except with noise."""
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
    assert (early > 1e-3) == ("noise" in name)


def test_condition_levels_and_bands(tmp_path: Path) -> None:
    """Attenuation, band limit, clipping and noise level are as named."""
    rng = np.random.default_rng(0)
    y = (0.1 * rng.standard_normal(4 * RATE)).astype(np.float32)
    quiet, _ = rms_and_rate(CONDITIONS["30 dB quieter, 16 bits"](y, RATE, tmp_path / "quiet"))
    assert quiet / 0.1 == pytest.approx(10**-1.5, rel=0.05)
    telephone, rate = soundfile.read(CONDITIONS["telephone band, 8 kHz"](y, RATE, tmp_path / "telephone"))
    power = np.abs(np.fft.rfft(telephone)) ** 2
    f = np.fft.rfftfreq(len(telephone), 1 / rate)
    assert rate == 8000 and power[(f > 400) & (f < 3000)].mean() > 1000 * power[f < 200].mean()
    clipped, _ = soundfile.read(CONDITIONS["clipped, 5 % of the samples"](y, RATE, tmp_path / "clipped"))
    assert np.mean(np.abs(clipped) >= 1) == pytest.approx(0.05, abs=0.001)
    noisy, _ = soundfile.read(CONDITIONS["pink noise, 10 dB below"](y, RATE, tmp_path / "noisy"))
    assert np.std(noisy - y) / np.std(y) == pytest.approx(10**-0.5, rel=0.01)


def write_inputs(folder: Path) -> list[str]:
    """Write two tracks with audio, non-music audio, labelled music and a page; return the program's arguments."""
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
    arguments = (
        "--bundle edge --mels mel.npz --tracks tracks.csv --split held --audio . --not-music sounds --other other"
    )
    return [*arguments.split(), "--write", "card.md"]


@pytest.mark.slow
def test_study_updates_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The study replaces the marked part of the page with all its tables."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed")
    monkeypatch.chdir(tmp_path)
    done = run_main(study_model, *write_inputs(tmp_path))
    assert done.code == 0, done.stderr
    text = (tmp_path / "card.md").read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert all(f"\n| {name} | " in text for name in (*CONDITIONS, "hiss", "music of split held", "pop", "polka"))
    assert "(not a genre of this model)" in text and "| full bandwidth | 2 | " in text
    assert "Of its tracks with\naudio, 0 have less than 29 s" in text
    words = next(line for line in text.splitlines() if line.startswith("| words | "))
    assert words.endswith(f"| {TEST_DIFFERENCES['words']} |")
    assert "Expected calibration error of the " in text and "artists" not in text  # none are known


@pytest.mark.parametrize(
    ("change_inputs", "message"),
    [
        (lambda f: (f / "audio" / "1.wav").unlink(), "audio/1.wav: not a readable audio file"),
        (lambda f: (f / "audio" / "1.wav").write_text("noise"), "audio/1.wav: not a readable audio file"),
        (lambda f: shutil.rmtree(f / "sounds"), "sounds: no folders with audio"),
        (lambda f: shutil.rmtree(f / "other"), "other: no folders with audio"),
        (lambda f: (f / "sounds" / "empty").mkdir(), "sounds/empty: no audio of 1 s or more"),
        (lambda f: (f / "tracks.csv").write_text("row,track,genre\n0,t0,metal\n"), "no tracks of split 'held'"),
        (lambda f: (f / "tracks.csv").write_text("row,track,genre,split\n0,t0,metal,held\n"), "with audio"),
        (lambda f: (f / "mel.npz").unlink(), "mel.npz: not a mel archive"),
        (lambda f: (f / "card.md").write_text("no marks"), "card.md has no lines"),
        (lambda f: (f / "card.md").unlink(), "card.md: "),
    ],
)
def test_study_checks_inputs_first(
    change_inputs: Callable[[Path], Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing or damaged inputs end the program before the classification starts."""
    arguments = write_inputs(tmp_path)
    change_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["study_model", *arguments])
    monkeypatch.setattr(study_model.shutil, "which", lambda tool: tool)
    monkeypatch.setattr(study_model, "study", lambda *arguments: pytest.fail("the study has started"))
    with pytest.raises(SystemExit, match=message):
        study_model.main()


def test_study_refuses_training_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that was trained on the split is refused."""
    arguments = [word.replace("held", "valid") for word in write_inputs(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["study_model", *arguments])
    monkeypatch.setattr(study_model.shutil, "which", lambda tool: tool)
    with pytest.raises(SystemExit, match="edge was trained on split 'valid'"):
        study_model.main()


def test_conditions_table_names_missed_targets() -> None:
    """Conditions that lose more accuracy than allowed are listed below the table."""
    true: list[str] = ["a"] * 50

    def predictions(wrong: int) -> list[str | None]:
        return [None] * wrong + ["a"] * (50 - wrong)

    names = (
        "unchanged",
        "mp3, 64 kbit/s",
        "30 dB quieter, 16 bits",
        "telephone band, 8 kHz",
        "clipped, 5 % of the samples",
    )
    assert set(names) <= set(CONDITIONS) and set(CODECS_AND_LEVELS) < set(CONDITIONS)
    table = study_model.conditions_table(dict(zip(names, map(predictions, (5, 7, 4, 10, 11)), strict=True)), true)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:7]]
    assert [(row[0], row[3]) for row in rows] == list(zip(names, ["0.0", "4.0", "-2.0", "10.0", "12.0"], strict=True))
    assert table.endswith("missed by: mp3, 64 kbit/s (4.0); clipped, 5 % of the samples (12.0).")
    assert study_model.conditions_table({"unchanged": predictions(1)}, true).endswith("all conditions meet it.")


def test_artists_counts_known_artists() -> None:
    """Known artists are counted per genre, beside the number of tracks."""
    frames = np.zeros((128, 1), dtype=np.float32)
    groups = {"blues": ["1", "1", "2", ""], "rock": ["1", "3"]}
    tracks = [data.Track("t", genre, "held", frames, group) for genre in groups for group in groups[genre]]
    assert "blues 2 (4), rock 2 (2)" in study_model.artists(tracks, "held")
