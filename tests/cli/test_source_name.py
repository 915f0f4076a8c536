"""The source as an argument, in a file, or in the environment."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from genre_edge.cli.source_name import source_name
from genre_edge.errors import ParameterError
from tests.conftest import Cli
from tests.helpers.bundles import TINY

URL = "rtsp://user:s3cret@camera.example/1"


def test_source_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument or file, then the environment, then the microphone."""
    monkeypatch.delenv("GENRE_EDGE_SOURCE", raising=False)
    path = tmp_path / "source"
    path.write_text(URL)
    assert source_name(None, None) == "microphone"
    monkeypatch.setenv("GENRE_EDGE_SOURCE", "http://radio.example/live")
    assert source_name(None, None) == "http://radio.example/live"
    assert source_name("x.wav", None) == "x.wav"
    assert source_name(None, path) == URL
    with pytest.raises(ParameterError, match="give SOURCE or --source-file, not both"):
        source_name("x.wav", path)


@pytest.mark.parametrize(
    "content", [URL, f"{URL}\n", f"  {URL} \r\nsecond line", f"\ufeff{URL}\n" + "x" * 10000, f"{URL}\n\xff\xfe"]
)
def test_source_file_first_line(tmp_path: Path, content: str) -> None:
    """The first line counts, without spaces around it."""
    (tmp_path / "source").write_text(content)
    assert source_name(None, tmp_path / "source") == URL


@pytest.mark.parametrize("content", [b"", b"\n" + URL.encode(), b"  \n", b"x" * 5000, b"x" * 4097 + b"\n"])
def test_source_file_without_source(tmp_path: Path, content: bytes) -> None:
    """An empty or long first line is one error, which does not show it."""
    path = tmp_path / "source"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=f"^{path}: the first line, which names the source, is "):
        source_name(None, path)


def test_source_file_special(tmp_path: Path) -> None:
    """Missing files, folders, endless devices and pipes that nobody writes to are errors at once."""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "missing", tmp_path, Path("/dev/zero"), Path("/dev/null"), tmp_path / "fifo"):
        with pytest.raises(ParameterError, match=f"^{path}: "):
            source_name(None, path)


def test_source_file_pipe() -> None:
    """A pipe is read up to the end of its first line, as from the shell's <(...)."""
    read_fd, write_fd = os.pipe()
    writer = threading.Timer(0.05, lambda: os.write(write_fd, URL.encode() + b"\n"))
    writer.start()
    assert source_name(None, Path(f"/dev/fd/{read_fd}")) == URL
    writer.join()
    os.close(read_fd)
    os.close(write_fd)


@pytest.mark.parametrize("command", ["stream", "serve"])
def test_commands_read_source_file(invoke: Cli, command: str, tmp_path: Path) -> None:
    """`stream` and `serve` open the source that the file names, and show no password."""
    (tmp_path / "source").write_text("gopher://user:s3cret@host/x")
    port = ("--port", 0) if command == "serve" else ()
    done = invoke(command, "--source-file", tmp_path / "source", "--model", TINY, *port)
    assert done.returncode == 2 and done.stderr.startswith("genre-edge: gopher://host/x: unknown URL scheme")


@pytest.mark.parametrize("command", ["stream", "serve"])
def test_commands_read_environment(invoke: Cli, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`stream` and `serve` open the source that GENRE_EDGE_SOURCE names."""
    monkeypatch.setenv("GENRE_EDGE_SOURCE", "./missing.wav")
    done = invoke(command, "--model", TINY, *(("--port", 0) if command == "serve" else ()))
    assert (done.returncode, done.stderr) == (1, "genre-edge: missing.wav: No such file or directory\n")


def test_process_list_shows_no_password(tmp_path: Path) -> None:
    """Neither the program nor its children have the password in their arguments."""
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\necho "$@" > arguments; /usr/bin/env > environment; exit 1\n')
    program.chmod(0o755)
    command = [sys.executable, "-m", "genre_edge", "stream", "--model", str(TINY), "--tries", "1"]
    environment = os.environ | {"PATH": str(tmp_path), "GENRE_EDGE_SOURCE": URL}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 3 and "rtsp://camera.example/1: " in done.stderr
    for text in (done.stderr, (tmp_path / "arguments").read_text(), (tmp_path / "environment").read_text()):
        assert "s3cret" not in text
    assert "rtsp://127.0.0.1:" in (tmp_path / "arguments").read_text()
