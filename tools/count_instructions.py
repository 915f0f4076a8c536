"""Count the instructions per frame of decibels on x86-64 and aarch64, and where they are spent.

python -m tools.count_instructions                            # print the table: about a minute
python -m tools.count_instructions --only 512 x86-4 arm-4     # these rows and columns only
python -m tools.count_instructions --write docs/mel.md        # write it between the page's instructions markers
python -m tools.count_instructions --check docs/mel.md        # exit 1 if a figure differs by more than 5 %

Instruction counts need no particular processor and are exactly reproducible with the same compiler and C library. They
are not times: instructions differ in cost, and several can execute at once. csrc/test/count_frames.c is compiled with
the flags of setup.py (tools/peers/instructions.py).

x86-64 is counted by valgrind's callgrind; for aarch64, QEMU logs every instruction and the log's lines are counted by
function. Required Debian packages: gcc valgrind libfftw3-single3 gcc-aarch64-linux-gnu qemu-user-static.
"""

import argparse
import ctypes
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from genre_edge.system.atomic_write import write_atomically
from tools.docs.pages import split_page
from tools.peers.instructions import ARM, PARTS, REST, X86, Machine, MissingError, Row, build, per_frame, run

TOLERANCE = 0.05  # compilers differ
ROUNDED = 100

Figures = dict[tuple[str, str], float]  # row, column -> instructions per frame


@dataclass(frozen=True)
class Column:
    """A column of the first table; with `in_detail` also a part of the second one.

    `lanes` is the argument of count_frames: the vector width, or "fftw".
    """

    title: str
    machine: Machine
    lanes: str
    in_detail: bool = False


ROWS = {str(row.n_fft): row for row in (Row(2048, 512, 128, 22050), Row(512, 256, 96, 16000), Row(400, 160, 80, 16000))}
COLUMNS = {
    "x86-8": Column("x86-64, 8 lanes (AVX2, FMA)", X86, "8", in_detail=True),
    "x86-4": Column("x86-64, 4 lanes (SSE2)", X86, "4"),
    "x86-1": Column("x86-64, 1 lane", X86, "1"),
    "fftw": Column("x86-64, FFTW's r2c alone", X86, "fftw"),
    "arm-4": Column("aarch64, 4 lanes (NEON)", ARM, "4", in_detail=True),
    "arm-1": Column("aarch64, 1 lane", ARM, "1"),
}


def measure(rows: list[Row], columns: list[Column]) -> tuple[Figures, list[str]]:
    """Return the unrounded figures of both tables, and one message per machine or column that cannot be counted."""
    figures: Figures = {}
    missing: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for machine in dict.fromkeys(column.machine for column in columns):
            try:
                program = build(machine, Path(folder))
            except MissingError as error:
                missing.append(f"{machine.name}: {error}")
                continue
            for column in (column for column in columns if column.machine is machine):
                try:
                    for row in rows:
                        figures.update(figures_of(row, column, per_frame(machine, program, row, column.lanes)))
                except MissingError as error:
                    missing.append(f"{column.title}: {error}")
    return figures, missing


def figures_of(row: Row, column: Column, parts: dict[str, float]) -> Figures:
    """Return one cell of the first table and, for a column in detail, a row of the second."""
    figures = {(str(row), column.title): sum(parts.values())}
    if column.in_detail:
        figures |= {(f"{row}, {column.title}", part): number for part, number in parts.items()}
    return figures


def table(figures: Figures) -> str:
    """Return Markdown: a table of whole frames, then one of their parts."""
    details = [f"{row}, {column.title}" for column in COLUMNS.values() if column.in_detail for row in ROWS.values()]
    whole = lines("n_fft / hop / bands", list(map(str, ROWS.values())), [c.title for c in COLUMNS.values()], figures)
    parts = lines("by part", details, [*PARTS.values(), REST], figures)
    return "\n".join([*whole, "", *parts, "", f"Counted with {'; '.join(versions())}.", ""])


def lines(corner: str, rows: list[str], columns: list[str], figures: Figures) -> Iterator[str]:
    """Yield the lines of one table, without rows and columns that were not counted."""
    columns = [column for column in columns if any((row, column) in figures for row in rows)]
    yield f"| {' | '.join([corner, *columns])} |"
    yield f"| --- |{' ---: |' * len(columns)}"
    for row in rows:
        cells = [f"{round(figures[row, c] / ROUNDED) * ROUNDED:,}" if (row, c) in figures else "" for c in columns]
        if any(cells):
            yield f"| {' | '.join([row, *cells])} |"


def versions() -> Iterator[str]:
    """Yield the versions of the installed tools: the figures depend on them."""
    for command in (X86.compiler, "valgrind", ARM.compiler, "qemu-aarch64-static"):
        if shutil.which(command):
            yield run(command, "--version").splitlines()[0]
    try:
        version = (ctypes.c_char * 64).in_dll(ctypes.CDLL("libfftw3f.so.3"), "fftwf_version")
        yield version.value.decode()
    except (OSError, ValueError):
        pass


def parse(markdown: str) -> Figures:
    """Parse the output of `table`."""
    figures: Figures = {}
    columns: list[str] = []
    for line in markdown.splitlines():
        row, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
        if not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells
        elif not row.startswith("---"):
            figures |= {
                (row, column): int(cell.replace(",", "")) for column, cell in zip(columns, cells, strict=True) if cell
            }
    return figures


def differences(page: Path, counted: Figures, complete: bool) -> list[str]:
    """Compare the table in a page with the counted figures.

    Args:
        page: Markdown page with instructions markers.
        counted: unrounded figures.
        complete: whether `counted` has all figures, so that others in the page are errors.

    Returns:
        One message per missing, outdated or unknown figure.
    """
    written = parse(split_page(page, "instructions")[1])
    messages = [
        f"{page} has {', '.join(key)}, which is not counted" for key in written if complete and key not in counted
    ]
    for (row, column), number in counted.items():
        figure = written.get((row, column))
        if figure is None:
            messages.append(f"{page} has no figure for {row}, {column}")
        elif abs(figure - number) > TOLERANCE * number + ROUNDED / 2:
            messages.append(f"{page} has {figure} for {row}, {column}; the count is {number:.0f}")
    return messages


def main() -> None:
    """Count, then print, write or check the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = f"rows ({', '.join(ROWS)}) and columns ({', '.join(COLUMNS)}) to count; default: all"
    parser.add_argument("--only", nargs="+", choices=[*ROWS, *COLUMNS], default=[], metavar="NAME", help=names)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="FILE", help="write the table into a page")
    action.add_argument("--check", type=Path, metavar="FILE", help="compare with the table in a page")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write needs all rows and columns: omit --only")
    rows = [row for name, row in ROWS.items() if name in arguments.only or not {*ROWS} & {*arguments.only}]
    columns = [
        column for name, column in COLUMNS.items() if name in arguments.only or not {*COLUMNS} & {*arguments.only}
    ]
    figures, missing = measure(rows, columns)
    for note in missing:
        print(f"not counted: {note}", file=sys.stderr)
    if arguments.write:
        if missing:
            sys.exit(f"{arguments.write} is not changed: the table would lack columns")
        before, _, after = split_page(arguments.write, "instructions")
        write_atomically(arguments.write, (before + table(figures) + after).encode())
    elif arguments.check:
        complete = not missing and not arguments.only
        sys.exit("\n".join(differences(arguments.check, figures, complete)) or 0)
    else:
        print(table(figures), end="")


if __name__ == "__main__":
    main()
