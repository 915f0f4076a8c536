"""Messages that say how to install a package of the operating system."""

import re
import sys
from pathlib import Path

import pytest

from genre_edge.audio import microphone
from genre_edge.audio.ffmpeg.process import ffmpeg_program
from genre_edge.errors import GenreEdgeError
from genre_edge.mel import _logmel, fftw
from genre_edge.system import packages
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("platform", "commands"),
    [
        ("linux", ["apt install ffmpeg", "apt install libportaudio2", "apt install libfftw3-single3"]),
        ("darwin", ["brew install ffmpeg", "brew install portaudio", "brew install fftw"]),
    ],
)
def test_install_command(platform: str, commands: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors advise Homebrew on macOS, which has its own names for packages, and apt on other systems."""
    monkeypatch.setattr(packages.sys, "platform", platform)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(_logmel, "load_fftw", lambda path: False)
    calls = [lambda: ffmpeg_program("x.m4a"), microphone.import_sounddevice, fftw._load_from_pyfftw]
    for call, command in zip(calls, commands, strict=True):
        with pytest.raises(GenreEdgeError, match=rf"\({command}\)"):
            call()


def test_install_command_is_used() -> None:
    """No other module names a package manager."""
    words = re.compile("apt install|apt-get|brew install")
    found = [path.name for path in (ROOT / "src").rglob("*.py") if words.search(path.read_text())]
    assert found == ["packages.py"]
