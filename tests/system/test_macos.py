"""The program on a simulated macOS: tests/helpers/macos takes away what only Linux has."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genre_edge.library.database import FileRow, LibraryDatabase
from tests.conftest import TIMEOUT_S
from tests.helpers.audio import music, tone
from tests.helpers.bundles import TINY
from tests.helpers.fake_ffmpeg import install_fake_ffmpeg
from tests.helpers.serve_process import ServeProcess
from tests.helpers.station import count_rows, eventually
from tests.helpers.tagging import genres_by_mutagen, result, write_audio, write_database
from tests.helpers.wav import PCM, chunk, fmt, riff

pytestmark = pytest.mark.slow

STUBS = Path(__file__).parents[1] / "helpers" / "macos"
IMPORT_ALL = """
import importlib, pkgutil, sys
import beetsplug.genreedge, genre_edge
names = [module.name for module in pkgutil.walk_packages(genre_edge.__path__, "genre_edge.")]
for name in names:
    if name != "genre_edge.__main__":
        importlib.import_module(name)
print(sys.platform, len(names) > 150)
"""
CHECK_STUBS = """
import ctypes, fcntl, os, sys
from pathlib import Path
def outcome(action):
    try:
        return action()
    except Exception as error:
        return type(error).__name__
print(
    sys.platform, os.path.exists("/proc/self/statm"), Path("/sys/class").exists(), hasattr(os, "listxattr"),
    hasattr(fcntl, "F_SETPIPE_SZ"), *map(outcome, (
        lambda: ctypes.CDLL(None).prctl, lambda: open("/proc/self/statm"), lambda: os.listdir("/proc/self/fd"),
        lambda: os.open("/sys/class", 0), lambda: os.sysconf("SC_AVPHYS_PAGES"),
    ))
)
"""


def environment() -> dict[str, str]:
    paths = [str(STUBS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}


def run(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[Any]":
    """Run Python on the simulated macOS; fail if it prints a traceback."""
    command = [sys.executable, *map(str, arguments)]
    options = {"capture_output": True, "text": True, "timeout": TIMEOUT_S, "env": environment()} | options
    done = subprocess.run(command, **options)
    assert "Traceback" not in str(done.stderr) and "sitecustomize" not in str(done.stderr), done.stderr
    return done


def genre_edge(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[Any]":
    done = run("-m", "genre_edge", *arguments, **options)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A short song as PCM."""
    path = tmp_path / "song.wav"
    samples = (music(6, 22050) * 32767).astype("<i2").tobytes()
    path.write_bytes(riff(fmt(PCM, 1, 22050, 16), chunk(b"data", samples)))
    return path


def test_simulation() -> None:
    """The simulation works: Linux's files, functions and constants are gone."""
    refused = ["AttributeError", "FileNotFoundError", "FileNotFoundError", "FileNotFoundError", "ValueError"]
    assert run("-c", CHECK_STUBS).stdout.split() == ["darwin", *["False"] * 4, *refused]


def test_modules_on_macos() -> None:
    """All modules can be imported."""
    assert run("-c", IMPORT_ALL).stdout == "darwin True\n"


def test_classify_on_macos(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gets the same verdict as on Linux, to the last bit, as does one that ffmpeg decodes; a pipe is read."""
    command = ["-m", "genre_edge", "classify", "--format", "json", song]
    on_linux = subprocess.check_output([sys.executable, *map(str, command)], text=True, timeout=TIMEOUT_S)
    verdict = run(*command).stdout
    assert verdict == on_linux and json.loads(verdict)[0]["genres"]
    m4a = install_fake_ffmpeg(tmp_path, monkeypatch, f"exec /bin/cat {song}")
    decoded = json.loads(genre_edge("classify", "--format", "json", m4a).stdout)[0]
    assert decoded["genres"] == json.loads(on_linux)[0]["genres"]
    with song.open("rb") as pipe:
        assert '"genre"' in genre_edge("stream", "-", stdin=pipe).stdout


def test_doctor_on_macos() -> None:
    """`doctor` finds no fault; it says which figure the system does not have."""
    done = genre_edge("doctor", "--model", TINY)
    assert re.search(r"^ok +memory +not reported by this system$", done.stdout, re.MULTILINE), done.stdout


def test_scan_on_macos(song: Path, tmp_path: Path) -> None:
    """Worker processes scan a folder."""
    database = tmp_path / "library.db"
    genre_edge("scan", song.parent, "--db", database, "--jobs", 2)
    with LibraryDatabase(database) as library:
        rows: list[FileRow] = list(library.rows())
    assert [(Path(row.path).name, row.error) for row in rows] == [("song.wav", None)]


def test_tag_on_macos(tmp_path: Path) -> None:
    """Genres are written to a file, which is replaced."""
    path = write_audio(tmp_path / "song.flac")
    path.chmod(0o640)
    database = write_database(tmp_path / "library.db", [result(path)])
    genre_edge("tag", "plan", "--db", database, "--out", tmp_path / "plan")
    genre_edge("tag", "apply", tmp_path / "plan", "--db", database)
    assert genres_by_mutagen(path) == ["Rock"] and path.stat().st_mode & 0o777 == 0o640


def test_serve_on_macos(tmp_path: Path) -> None:
    """The service runs with history, metrics and notifications; its own figures come from the functions of POSIX.

    If another program has overwritten the history, the service leaves the file alone at its end.
    """
    history = tmp_path / "history.db"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(TIMEOUT_S)
        variables = {"PYTHONPATH": environment()["PYTHONPATH"], "NOTIFY_SOCKET": str(tmp_path / "notify")}
        serve = ServeProcess("--history", history, **variables)
        assert systemd.recv(4096).startswith(b"READY=1")
        serve.feed(tone(440, 20, 8000).astype(np.float32))
        status = eventually(lambda: (found := serve.get("api/v1/status"))["verdict"] and found)
    eventually(lambda: serve.get("api/v1/status")["history_unsaved"] == 0 and count_rows(history) > 0)
    assert 5 < status["memory_mb"] < 10_000 and status["temperature_c"] is None
    with urllib.request.urlopen(f"{serve.url}metrics", timeout=TIMEOUT_S) as response:
        metrics = response.read().decode()
    assert "\nprocess_cpu_seconds_total " in metrics and metrics.count("\nprocess_") == 1
    history.write_bytes(b"another program's file\n" * 10_000)
    before = history.read_bytes()
    assert serve.end()[0] == 0
    assert history.read_bytes() == before and not history.with_name("history.db-wal").exists()
