"""tools.startup: the table, limits and errors."""

import re
import sys
from pathlib import Path

import pytest

from tools import startup
from tools.startup import CASES, Usage


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str | int | None:
    """Run the program and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["startup.py", *arguments])
    try:
        startup.main()
    except SystemExit as ended:
        return ended.code
    return None


@pytest.mark.slow
def test_startup_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has a row with positive figures; limits may be exceeded on a busy machine."""
    assert run_main(monkeypatch, "--runs", "1") in (None, "startup: a limit is exceeded")
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(CASES) and all(row.count("|") == head.count("|") for row in rows)
    for case, row in zip(CASES, rows, strict=True):
        assert f"| {' '.join(case.arguments)} | {case.imports} |" in row
        figures = [float(text) for text in re.findall(r"(?<=\| )\d+\.\d+(?= \|)", row)]
        assert len(figures) == 7 and min(figures) > 0


@pytest.mark.parametrize(("cpu_s", "expected"), [(1.29, None), (1.31, "startup: a limit is exceeded")])
def test_startup_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cpu_s: float, expected: str | None
) -> None:
    """The exit code depends on the median of the ratios of CPU times; the warm-up and single rounds do not count."""
    seen: list[tuple[str, tuple[str, ...]]] = []

    def run(python: str, arguments: tuple[str, ...], folder: Path) -> Usage:
        assert (folder / startup.SONG).exists()
        seen.append((python, arguments))
        n_before = seen.count((python, arguments)) - 1
        if arguments[0] == "-c":
            return Usage(1.0, 1.0)
        return Usage(9.0 if n_before in (0, 2) else cpu_s, 4.0)  # slow in the warm-up and in one round

    monkeypatch.setattr(startup, "run", run)
    assert run_main(monkeypatch, "--runs", "3", "--python", "/a/python", "--python", "/b/python") == expected
    assert len(seen) == 4 * 2 * len(CASES) * 2
    assert seen[:4] == [
        (python, arguments)
        for python in ("/a/python", "/b/python")
        for arguments in (("-c", CASES[0].imports), ("-m", "genre_edge", *CASES[0].arguments))
    ]
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == 2 * len(CASES) and all(f"| {cpu_s:.3f} | 1.000 | {cpu_s:.2f} | 4.000 |" in row for row in rows)


def test_startup_failing_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A command that fails is an error with its output."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    python.chmod(0o755)
    assert run_main(monkeypatch, "--python", str(python)) == f"startup: {python} -c {CASES[0].imports} failed: broken"
