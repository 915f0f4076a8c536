"""tools/study_model.py: checks of its inputs, and runs from end to end."""

import csv
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("sklearn", reason="training needs the extra 'train'")
from genre_edge.model.styles import Style
from tests.helpers.audio import tone
from tests.helpers.bundles import STYLED, TINY, variant
from tests.helpers.training import UntrainedTeacher, run_main
from tools import study_model
from tools.fetch_sounds import TEST_DIFFERENCES
from tools.training.conditions import CONDITIONS

RATE = 22050
PROGRAM = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
STYLES = [Style("rock"), Style("metal", "rock"), Style("classical")]


def write_inputs(folder: Path) -> list[str]:
    """Write two tracks with audio, non-music audio, labelled music and a page; return the program's arguments."""
    rng = np.random.default_rng(0)
    np.savez(folder / "mel.npz", mel=rng.integers(0, 255, (2, 128, 387), dtype=np.uint8))
    (folder / "audio").mkdir()
    write_table(folder, ("metal", "jazz"))
    for row in range(2):
        soundfile.write(folder / "audio" / f"{row}.wav", 0.1 * rng.standard_normal(30 * RATE), RATE)
    for part in ("sounds/hiss", "sounds/words", "other/pop", "other/polka"):
        (folder / part).mkdir(parents=True)
        soundfile.write(folder / part / "a.wav", 0.1 * rng.standard_normal(4 * RATE), RATE)
    (folder / "card.md").write_text("before\n<!-- study:begin -->\n<!-- study:end -->\nafter\n")
    arguments = (
        "--bundle paper --mels mel.npz --tracks tracks.csv --split held --audio . --not-music sounds --other other"
    )
    return [*arguments.split(), "--write", "card.md"]


def write_table(folder: Path, genres: tuple[str, ...]) -> None:
    """Write the table of tracks."""
    with (folder / "tracks.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["row", "track", "genre", "split", "artist_group", "audio"])
        for row, genre in enumerate(genres):
            table.writerow([row, f"t{row}", genre, "held", "", f"audio/{row}.wav"])


@pytest.mark.slow
@PROGRAM
def test_study_updates_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The study of a bundle of the archive's front end replaces the marked part of the page with all its tables."""
    monkeypatch.chdir(tmp_path)
    done = run_main(study_model, *write_inputs(tmp_path))
    assert done.code == 0, done.stderr
    text = (tmp_path / "card.md").read_text()
    assert text.startswith("before\n") and text.endswith("after\n")
    assert all(f"\n| {name} | " in text for name in (*CONDITIONS, "hiss", "music of split held", "pop", "polka"))
    assert "(not a genre of this model)" in text and "| full bandwidth | 2 | " in text
    assert "Of its 2 tracks\nwith audio, 0 have less than 29 s" in text and "\n| 30 s | 2 | " in text
    words = next(line for line in text.splitlines() if line.startswith("| words | "))
    assert words.endswith(f"| {TEST_DIFFERENCES['words']} |")
    assert "All 2 tracks from the mel archive: " in text and "artists" not in text  # none are known
    assert "Styles" not in text and "| sound |" not in text and "## Comparison" not in text


@pytest.mark.train
@PROGRAM
def test_study_of_styles_with_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle with styles and sounds is compared with the teacher and with another bundle, on audio alone."""
    pytest.importorskip("tensorflow", reason="training needs the extra 'train'")
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    bundle = variant(tmp_path / "bundle", STYLED, styles=STYLES)
    write_table(tmp_path, ("low", "middle"))
    for row, hz in enumerate((150, 1000)):
        soundfile.write(f"audio/{row}.wav", tone(hz, 4, RATE), RATE)
    for folder, hz in (("rock", 150), ("classical", 1000), ("misc", 900)):
        Path("music", folder).mkdir(parents=True)
        soundfile.write(f"music/{folder}/a.wav", tone(hz, 4, RATE), RATE)
    monkeypatch.setattr(study_model.efficientat, "load_weights", lambda path: None)
    monkeypatch.setattr(study_model.efficientat, "Teacher", UntrainedTeacher)
    arguments = "--tracks tracks.csv --split held --audio . --not-music sounds --other music --songs music"
    done = run_main(study_model, "--bundle", bundle, *arguments.split(), "--teacher", "teacher.pt", "--against", TINY)
    assert done.code == 0, done.stderr
    titles = [line.removeprefix("## ") for line in done.stdout.splitlines() if line.startswith("## ")]
    assert titles == [
        *("Robustness", "Short clips", "Confidence", "Comparison with tiny 1", "Audio that is not music"),
        *("Independently labelled music", "Styles beside the teacher's"),
    ]
    assert [title for title in titles if f"measured: {title}\n" in done.stderr] == titles
    assert "\n| both | 2 |\n" in done.stdout and "McNemar's exact test: p = 1." in done.stdout
    assert "\n| rock | 1 | 0 | 0 | 1 | metal 1 |\n" in done.stdout
    assert "\n| rock | 1 | 2 | 1.000 | " in done.stdout and "below the teacher: target " in done.stdout
    assert "3 songs of sources that were not trained on; 3 styles" in done.stdout
    assert "| sound |" in done.stdout and "noise 1" in done.stdout and "\n| 10 s | 0 | " in done.stdout


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
        (lambda f: write_table(f, ("metal", "polka")), r"paper \d+ does not have the genres polka"),
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
    expect_error(monkeypatch, tmp_path, arguments, message)


def expect_error(monkeypatch: pytest.MonkeyPatch, folder: Path, arguments: list[str], message: str) -> None:
    """Check that the program ends with a message before the classification starts."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["study_model", *arguments])
    monkeypatch.setattr(study_model.conditions, "check_encoders", lambda: None)
    monkeypatch.setattr(study_model.Study, "text", lambda self: pytest.fail("the study has started"))
    with pytest.raises(SystemExit, match=message):
        study_model.main()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--bundle", str(TINY)], "tiny: its front end .* is not the archive's"),
        (["--teacher", "teacher.pt"], "paper has no styles to compare with the teacher's"),
        (["--against", str(TINY)], "tiny 1 does not have the genres jazz, metal"),
        (["--split", "train"], "paper was trained on split 'train'; use the bundle in OUT/measured"),
    ],
)
def test_study_checks_bundles_first(
    options: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle that does not fit the other arguments is refused."""
    expect_error(monkeypatch, tmp_path, [*write_inputs(tmp_path), *options], message)


def test_study_checks_teacher_and_songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The teacher's file and the songs are checked, too; songs without a teacher are an error of usage."""
    write_inputs(tmp_path)
    write_table(tmp_path, ("low", "high"))
    bundle = variant(tmp_path / "bundle", STYLED, styles=STYLES)
    arguments = [
        "--tracks",
        "tracks.csv",
        "--split",
        "held",
        "--audio",
        ".",
        "--not-music",
        "sounds",
        "--other",
        "other",
        "--bundle",
        "bundle",
    ]
    assert bundle.name == "bundle"
    expect_error(monkeypatch, tmp_path, [*arguments, "--teacher", "no.pt"], "no.pt: No such file")
    songs = ["--songs", "empty", "--teacher", "no.pt"]
    expect_error(monkeypatch, tmp_path, [*arguments, *songs], "empty: no audio of 1 s or more")
    expect_error(monkeypatch, tmp_path, [*arguments, "--songs", "other"], "2")
