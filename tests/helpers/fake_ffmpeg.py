"""A shell script that replaces ffmpeg."""

from pathlib import Path

import pytest


def install_fake_ffmpeg(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Make a shell script named ffmpeg the only program in PATH; return an m4a file, which the script does not read."""
    program = directory / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    path = directory / "x.m4a"
    path.write_bytes(b"not read by the fake ffmpeg")
    return path
