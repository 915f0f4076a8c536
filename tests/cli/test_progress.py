"""The progress bar of scan and tag: only on a terminal, with what is done and what failed."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from genre_edge.cli import local_scan
from genre_edge.cli.progress import Advance, progress_bar
from genre_edge.library.database import FileRow, LibraryDatabase
from genre_edge.library.discovery import Filter
from genre_edge.library.scan import Scan
from genre_edge.library.worker import ScanSettings
from genre_edge.library.worker_process import Limits


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("has_audio", [True, False])
def test_terminal(has_audio: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last state has all files, the failures, and the hours of audio if there are any."""
    terminal = Terminal()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar(3, has_audio) as advance:
        advance(seconds=1800)
        advance(2, seconds=3600, n_failed=1)
    text = terminal.getvalue()
    assert "3/3" in text and "1 failed" in text
    assert ("1.5 h of audio" in text) == has_audio


def test_scan_counts_whole_songs(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan by excerpts advances by the length of the songs, not of what is classified."""
    seconds = []

    @contextmanager
    def recorded(n_files: int | None, has_audio: bool = True) -> Iterator[Advance]:
        def advance(n_files: int = 1, seconds_of_audio: float = 0.0, n_failed: int = 0) -> None:
            seconds.append(seconds_of_audio)

        yield advance  # type: ignore[misc]

    row = FileRow("/a", 1, 2, "d", "t", "nano 6", "a", 0.9, duration_s=240.0, classified_s=25.0)
    failed = FileRow("/b", 1, 2, None, "t", "nano 6", "a", 0.9, error="not an audio file")
    monkeypatch.setattr(local_scan, "progress_bar", recorded)
    monkeypatch.setattr(Scan, "classify", lambda *_: [row, failed])
    with LibraryDatabase(tmp_path / "a.db") as database:
        scan = Scan(database, [song], ScanSettings("nano", "nano 6", "a"))
        local_scan.LocalScanner(scan, Filter(), 1, Limits(60, 1 << 30)).scan(dry_run=False)
    assert seconds == [240.0, 0.0]


@pytest.mark.parametrize("n_files", [0, 3])
def test_no_terminal(n_files: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A log file gets no progress bar."""
    with progress_bar(n_files) as advance:
        advance(n_files)
    assert capsys.readouterr() == ("", "")
