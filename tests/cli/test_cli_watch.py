"""genre-edge scan --watch: files that are saved, changed, moved and removed while the command waits."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile

from tests.conftest import TIMEOUT_S, Cli
from tests.helpers.audio import music
from tests.helpers.library import MODEL, SECONDS, rows
from tests.helpers.station import eventually


@contextmanager
def watch(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Run `genre-edge scan --watch ARGUMENTS` in the context."""
    command = [sys.executable, "-m", "genre_edge", "scan", *map(str, arguments), "--model", MODEL, "--watch"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def summary(process: "subprocess.Popen[str]") -> str:
    """Return the next line of standard output."""
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.slow
def test_watch(songs: Path, library: Path, tmp_path: Path) -> None:
    """New, changed, moved, damaged and removed files are scanned while the command waits; hidden ones are not."""
    database = library / "a.db"
    with watch(library, "--db", database) as process:
        assert summary(process) == "8 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"
        before = rows(database)["album 0/0.wav"]
        (library / ".hidden.wav").touch()
        shutil.copy(songs / "album 0" / "0.wav", library / "new.wav")
        (library / "bad.mp3").write_text("no audio")
        soundfile.write(library / "album 0" / "0.wav", music(2 * SECONDS, 22050, seed=9), 22050)
        eventually(lambda: {"music/new.wav", "music/bad.mp3"} <= rows(database).keys(), TIMEOUT_S)
        eventually(lambda: rows(database)["album 0/0.wav"].audio_digest != before.audio_digest, TIMEOUT_S)
        assert rows(database)["album 0/0.wav"].duration_s == pytest.approx(2 * SECONDS, abs=0.1)
        (library / "album 1").rename(library / "album 2")
        (library / "new.wav").unlink()
        eventually(lambda: "album 2/1.flac" in rows(database), TIMEOUT_S)
        eventually(lambda: rows(database)["music/new.wav"].gone_at is not None, TIMEOUT_S)
        assert not {"album 1/1.flac", "music/.hidden.wav"} & rows(database).keys()
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert stderr == f"genre-edge: {library}/bad.mp3: not an audio file that can be read\n"


@pytest.mark.slow
def test_watch_with_a_filter(songs: Path, library: Path, tmp_path: Path) -> None:
    """--include holds for files that are saved later, too, and Ctrl-C is a normal end."""
    database = tmp_path / "a.db"
    with watch(library, "--db", database, "--include", "*.wav") as process:
        assert summary(process) == "2 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"
        shutil.copy(songs / "album 1" / "1.flac", library / "other.flac")
        shutil.copy(songs / "album 0" / "0.wav", library / "new.wav")  # steady after the other one
        assert summary(process).startswith("1 classified, 0 moved, 0 gone")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, stderr) == (0, "")
    assert rows(database).keys() == {"album 0/0.wav", "album 0/4.wav", "music/new.wav"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watch_ends_in_the_first_scan(number: signal.Signals, library: Path, tmp_path: Path) -> None:
    """A signal is the normal end of --watch also during the first scan; the next one goes on."""
    with watch(library, "--db", tmp_path / "a.db") as process:
        eventually((tmp_path / "a.db").exists, TIMEOUT_S)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, stderr) == (0, "")


def test_watch_of_a_file(cli: Cli, library: Path, tmp_path: Path) -> None:
    """--watch refuses files and patterns before the first scan."""
    for name in (library / "album 0" / "0.wav", library / "*" / "*.wav"):
        done = cli("scan", name, "--db", tmp_path / "a.db", "--watch")
        assert (done.returncode, done.stderr) == (2, f"genre-edge: --watch needs folders, got {name}\n")
    assert not (tmp_path / "a.db").exists()


def test_watch_without_watchfiles(library: Path, tmp_path: Path) -> None:
    """What --watch needs is checked before the first scan, which may take all night."""
    program = "import sys; sys.modules['watchfiles'] = None; from genre_edge.__main__ import main; main()"
    command = [sys.executable, "-c", program, "scan", str(library), "--db", str(tmp_path / "a.db"), "--watch"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    message = "genre-edge: --watch needs watchfiles; run: pip install 'genre-edge[library]'\n"
    assert (done.returncode, done.stderr, done.stdout) == (1, message, "")
    assert not (tmp_path / "a.db").exists()
