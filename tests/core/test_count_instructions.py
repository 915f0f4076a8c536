"""tools.count_instructions: exact and reproducible counts on x86-64 and aarch64, and the table."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools import count_instructions as tool
from tools.docs.pages import split_page
from tools.peers import instructions

NEEDED = {
    "x86-4": {"gcc": "gcc", "valgrind": "valgrind"},
    "arm-4": {"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu", "qemu-aarch64-static": "qemu-user-static"},
}
LOOPS = {"x86-4": "1: subq $1, %0; jnz 1b", "arm-4": "1: sub %0, %0, #1; cbnz %0, 1b"}  # two instructions per iteration
columns = pytest.mark.parametrize("column", NEEDED)


def machine_of(column: str) -> instructions.Machine:
    """Return the machine of a column, or skip the test."""
    for program, package in NEEDED[column].items():
        if not shutil.which(program):
            pytest.skip(f"no {program} (Debian: {package})")
    machine = tool.COLUMNS[column].machine
    if machine is instructions.X86 and not is_x86():
        pytest.skip("gcc compiles for another processor than x86-64")
    return machine


def is_x86() -> bool:
    done = subprocess.run(["gcc", "-dumpmachine"], capture_output=True, text=True)
    return done.stdout.startswith("x86_64")


@pytest.mark.native
@columns
def test_count_loop_is_exact(column: str, tmp_path: Path) -> None:
    machine = machine_of(column)
    source, program = tmp_path / "loop.c", tmp_path / "loop"
    source.write_text(
        "int main(int argc, char **argv) {\n"
        "    long n = 1000 * (argc > 1 ? argv[1][0] - '0' : 1);\n"
        f'    __asm__ volatile("{LOOPS[column]}" : "+r"(n) : : "cc");\n'
        "    return 0;\n"
        "}\n"
    )
    subprocess.run([machine.compiler, "-O2", "-o", program, source], check=True)
    few, many = (sum(machine.count(program, thousands).values()) for thousands in "18")
    assert many - few == 2 * 7000


@pytest.mark.native
@columns
def test_per_frame_is_plausible_and_reproducible(column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, row = machine_of(column), tool.ROWS["512"]
    program = tool.build(machine, tmp_path)
    parts = tool.per_frame(machine, program, row, "4")
    assert all(number > 0 for number in parts.values())
    assert parts["transform"] > row.n_fft / 2  # bins: each costs more than one
    assert sum(parts.values()) < 100 * row.n_fft
    monkeypatch.setattr(tool, "build", lambda *_: program)  # compiling takes longer than counting
    assert tool.measure([row], [tool.COLUMNS[column]]) == (tool.figures_of(row, tool.COLUMNS[column], parts), [])


def test_main_prints_writes_and_checks_table(tmp_path: Path, monkeypatch, capsys) -> None:
    figures = {(str(tool.ROWS["512"]), column.title): 4567.8 for column in tool.COLUMNS.values()}
    monkeypatch.setattr(tool, "measure", lambda rows, columns: (figures, missing))
    page, missing = tmp_path / "page.md", ["aarch64: no compiler"]
    monkeypatch.setattr(sys, "argv", ["count_instructions.py", "--only", "512"])
    tool.main()
    assert capsys.readouterr() == (tool.table(figures), "not counted: aarch64: no compiler\n")
    page.write_text("Before.\n<!-- instructions:begin -->\n<!-- instructions:end -->\nAfter.\n")
    assert "is not changed" in str(outcome(monkeypatch, "--write", page))
    assert split_page(page, "instructions")[1] == ""
    missing.clear()
    outcome(monkeypatch, "--write", page)
    assert split_page(page, "instructions")[1] == tool.table(figures)
    assert outcome(monkeypatch, "--check", page) == 0
    figures[next(iter(figures))] = 6000.0
    assert "the count is 6000" in str(outcome(monkeypatch, "--check", page))


def outcome(monkeypatch: pytest.MonkeyPatch, action: str, page: Path) -> object:
    """Run the program; return its exit code or message."""
    monkeypatch.setattr(sys, "argv", ["count_instructions.py", action, str(page)])
    try:
        return tool.main()
    except SystemExit as stop:
        return stop.code


def test_differences_reports_outdated_figures(tmp_path: Path) -> None:
    row, column = tool.ROWS["512"], tool.COLUMNS["x86-4"]
    counted = tool.figures_of(row, column, {"transform": 10000.0, "other": 700.0})
    page = tmp_path / "page.md"
    page.write_text(f"<!-- instructions:begin -->\n{tool.table(counted)}<!-- instructions:end -->\n")
    key = (str(row), column.title)
    assert tool.differences(page, counted, complete=True) == []
    assert tool.differences(page, {key: 10200.0}, complete=True) == []
    assert "the count is 10000" in tool.differences(page, {key: 10000.0}, complete=True)[0]
    assert "no figure" in tool.differences(page, {**counted, ("a row", "a column"): 1.0}, complete=True)[0]
    assert "not counted" in tool.differences(page, {}, complete=True)[0]
    assert tool.differences(page, {}, complete=False) == []


def test_table_contains_counted_figures() -> None:
    row, column = tool.ROWS["512"], tool.COLUMNS["arm-4"]
    parts = {"transform": 5449.6, "mel bank": 1200.0, "decibels": 700.0, "other": 1000.0}
    table = tool.table(tool.figures_of(row, column, parts))
    assert tool.parse(table) == {
        (str(row), column.title): 8300,
        (f"{row}, {column.title}", "transform"): 5400,
        (f"{row}, {column.title}", "mel bank"): 1200,
        (f"{row}, {column.title}", "decibels"): 700,
        (f"{row}, {column.title}", "other"): 1000,
    }


def test_measure_names_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    figures, missing = tool.measure(list(tool.ROWS.values()), list(tool.COLUMNS.values()))
    assert figures == {}
    assert missing == [
        "x86-64: no gcc: apt install gcc",
        "aarch64: no aarch64-linux-gnu-gcc: apt install gcc-aarch64-linux-gnu",
    ]


def test_docs_table_is_complete() -> None:
    pages = [page for page in (ROOT / "docs").glob("*.md") if "<!-- instructions:begin -->" in page.read_text()]
    if not pages:
        pytest.skip("no page in docs/ has a table of instructions")
    expected = {(str(row), column.title) for row in tool.ROWS.values() for column in tool.COLUMNS.values()}
    for page in pages:
        figures = tool.parse(split_page(page, "instructions")[1])
        assert expected <= set(figures)
        assert all(number > 0 for number in figures.values())
