"""The progress bar of scan and tag: only on a terminal, with what is done and what failed."""

import io
import sys

import pytest

from genre_edge.cli.progress import progress_bar


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


@pytest.mark.parametrize("n_files", [0, 3])
def test_no_terminal(n_files: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A log file gets no progress bar."""
    with progress_bar(n_files) as advance:
        advance(n_files)
    assert capsys.readouterr() == ("", "")
