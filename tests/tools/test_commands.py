"""tools/docs/commands.py: published command lines."""

import sys
from pathlib import Path

import pytest

from tools.docs import commands


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("/home/me/runs/nano", "nano"),
        ("/home/me/runs/nano/", "nano"),
        ("/home/me/./runs//nano", "nano"),
        ("nano", "nano"),
        ("--bundle=/home/me/my nano/", "'--bundle=my nano'"),
        ("--bundle=nano", "--bundle=nano"),
    ],
)
def test_public_command_contains_no_folders(argument: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are shown by their last part, however they are written; other values and options stay."""
    monkeypatch.setattr(sys, "argv", ["program", argument, "--version", "a/b", "--quick"])
    value = argument.partition("=")[2] or argument
    for path in (value, Path(value)):
        assert commands.public_command("some_tool", [None, path]) == (
            f"python -m tools.some_tool {shown} --version a/b --quick"
        )


def test_public_command_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder is shown by its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["program", "--out", "."])
    assert commands.public_command("some_tool", [Path()]) == f"python -m tools.some_tool --out {tmp_path.name}"
