"""Measurements of excerpts and of a scan's speed, on a few short songs."""

import functools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge import Classifier
from genre_edge.errors import AudioError
from genre_edge.library.discovery import FoundFile
from genre_edge.library.worker import FileScanner, ScanSettings
from tests.helpers.audio import music
from tools.library import measure_excerpts, measure_scan
from tools.library.measure_excerpts import Answer


def test_excerpts(tmp_path: Path) -> None:
    """Only songs of the length count; the whole file takes all of it, excerpts a part."""
    soundfile.write(tmp_path / "long.flac", np.tile(music(10, 22050), 16), 22050)
    soundfile.write(tmp_path / "short.flac", music(20, 22050), 22050)
    (tmp_path / "text.flac").write_text("no audio")
    (path,) = measure_excerpts.choose([tmp_path], least_s=100, most_s=200, seed=0)
    assert path.name == "long.flac"
    song = measure_excerpts.measure(Classifier("nano"), path, (0.25,))
    assert song[1.0].classified_s == 160 and song[0.25].classified_s <= 40


def test_excerpts_table() -> None:
    """The best genre and another genre count among the songs whose whole file has a genre."""
    whole = Answer("rock", "rock", 240, 1.0)
    parts = [Answer("rock", "rock", 60, 0.25), Answer(None, "rock", 60, 0.25), Answer("pop", "pop", 60, 0.25)]
    unknown = {1.0: Answer(None, "jazz", 240, 1.0), 0.5: Answer(None, "folk", 60, 0.25)}
    text = measure_excerpts.table([*({1.0: whole, 0.5: part} for part in parts), unknown])
    assert text.splitlines()[-1] == "| 0.5 | 60 | 4.0 | 50.0 % | 66.7 % | 33.3 % |"


def test_scan_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Both kinds of work are done for each file in each number of processes."""
    stereo = np.repeat(music(30, 44100)[:, None], 2, axis=1)
    soundfile.write(tmp_path / "song.wav", stereo, 44100)
    command = ["measure_scan", str(tmp_path), "--files", "12", "--seconds", "2", "--rounds", "1", "--model", "nano"]
    monkeypatch.setattr("sys.argv", command)
    measure_scan.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("12 files of 2 s: ") and ".flac" in lines[0]
    assert [line.split(":")[0] for line in lines[1:3]] == ["1 workers", "2 workers"]
    assert "times as fast as one" in lines[3] and any(line.startswith(".mp3: scan ") for line in lines)


def test_scan_speed_failed_file(tmp_path: Path) -> None:
    """A file whose row is an error, as one that is missing, is an error of the measurement."""
    soundfile.write(tmp_path / "song.wav", music(2, 22050), 22050)
    bundle = Classifier("nano").bundle
    start = functools.partial(FileScanner, ScanSettings("nano", "nano", bundle.sha256))
    files = [FoundFile(str(tmp_path / name), 1, 1) for name in ("song.wav", "missing.wav", "song.wav")]
    with pytest.raises(AudioError, match=r"missing\.wav: "):
        measure_scan.rate(files, start, 1)
    assert measure_scan.rate(files[::2], start, 1) > 0


def test_scan_speed_too_few_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A rate needs two files of each format."""
    monkeypatch.setattr("sys.argv", ["measure_scan", "music", "--files", "11"])
    with pytest.raises(SystemExit):
        measure_scan.main()
    assert "--files must be at least 12" in capsys.readouterr().err
