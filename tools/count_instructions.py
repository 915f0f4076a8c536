"""The table of instructions a frame of decibels takes, on x86-64 and on aarch64, and where they go.

python -m tools.count_instructions                            # print it: about a minute
python -m tools.count_instructions --only 512 x86-4 arm-4     # these rows and columns alone
python -m tools.count_instructions --write docs/mel.md        # put it between the page's instructions markers
python -m tools.count_instructions --check docs/mel.md        # exit 1 if a figure is more than 5 % off

Time needs the processor itself and differs from run to run; a count needs neither, and is the same to the last
instruction for the same compiler and C library. It is no time: instructions differ in what they cost, and two may
run at once. csrc/test/count_frames.c is compiled as setup.py compiles the core and run twice, for few frames and for
many: the difference is the frames alone, as start-up and plans are the same in both.

x86-64: valgrind's callgrind counts. aarch64: QEMU runs one instruction at a time and logs each; here the log's lines
are counted, by function. Needs, on Debian: apt install gcc valgrind libfftw3-single3 gcc-aarch64-linux-gnu
qemu-user-static.
"""

import argparse
import ctypes
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from genre_edge.system.atomic_write import write_atomically
from tools.docs.pages import split_page

CSRC = Path(__file__).parents[1] / "csrc"
SOURCES = [
    *(CSRC / "test" / name for name in ("count_frames.c", "naive.c")),
    *sorted(CSRC.glob("*.c")),
    *sorted((CSRC / "kernels").glob("*.c")),
]
FLAGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O3", "-ffp-contract=fast", "-fvisibility=hidden"]  # as setup.py
# Symbols are bound at the start: else the first call of each, in some frame, would count the dynamic linker's search.
LIBRARIES = ["-Wl,-z,now", "-lm", "-ldl", "-lpthread"]
ARM_ROOT = "/usr/aarch64-linux-gnu"  # where Debian's cross compiler has its libraries
ARM_CPU = "cortex-a72"  # a Raspberry Pi 4's: the C library chooses its memcpy by it

REFUSED = 2  # count_frames's exit status when it cannot
TOLERANCE = 0.05  # compilers differ
ROUNDED = 100

Counts = dict[str, int]  # function -> instructions
Figures = dict[tuple[str, str], float]  # row, column -> instructions a frame


class MissingError(Exception):
    """What cannot be counted here, and what to install."""


def run(*command: str | Path) -> str:
    """stdout; a failure ends the program: code that does not compile must not pass for a tool that is missing."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{Path(command[0]).name}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def judge(program: Path, status: int, said: str) -> None:
    """Of count_frames: a processor without the vectors, or a system without FFTW, is no failure."""
    if status == REFUSED:
        raise MissingError(said.strip())
    if status:
        sys.exit(f"{program.name}: exit status {status}\n{said}")


def need(program: str, package: str) -> str:
    """Where a program is."""
    found = shutil.which(program)
    if found is None:
        raise MissingError(f"no {program}: apt install {package}")
    return found


def count_x86(program: Path, *arguments: str) -> Counts:
    """Of one run, by callgrind."""
    valgrind, annotate = need("valgrind", "valgrind"), need("callgrind_annotate", "valgrind")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        command = [valgrind, "-q", "--tool=callgrind", f"--callgrind-out-file={out}", str(program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        judge(program, done.returncode, done.stderr)
        report = run(annotate, "--show-percs=no", "--auto=no", "--threshold=100", out)
    counts: Counter[str] = Counter()
    for number, function in re.findall(r"^ *([\d,]+) +[^:\n]*:([^\s']+)", report, flags=re.MULTILINE):
        counts[function] += int(number.replace(",", ""))
    total = re.search(r"^ *([\d,]+) .*PROGRAM TOTALS", report, flags=re.MULTILINE)
    assert total and counts.total() == int(total[1].replace(",", "")), "callgrind_annotate's report is not understood"
    return counts


@cache
def step_by_step(qemu: str) -> str:
    """QEMU's option for blocks of one instruction: renamed in version 8.1."""
    return "-one-insn-per-tb" if "-one-insn-per-tb" in run(qemu, "-help") else "-singlestep"


def count_arm(program: Path, *arguments: str) -> Counts:
    """Of one run, by QEMU's log: with blocks of one instruction and none chained to the next, a line for each."""
    qemu = need("qemu-aarch64-static", "qemu-user-static")
    command = [qemu, "-L", ARM_ROOT, "-cpu", ARM_CPU, step_by_step(qemu), "-d", "exec,nochain", str(program)]
    counts: Counter[bytes] = Counter()
    other = b""
    with subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, bufsize=1 << 20) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith(b"Trace "):  # Trace 0: host address [flags/address/flags/flags] function
                counts[line[line.rindex(b"]") + 1 :].strip()] += 1
            elif line.startswith(b"Stopped execution"):  # of a block that is in the log, and will be once more
                counts[b""] -= 1
            else:
                other = line
    judge(program, process.returncode, other.decode(errors="replace"))
    return {function.decode(): number for function, number in counts.items()}


@dataclass(frozen=True)
class Machine:
    """What compiles for it, what counts on it, and for how many frames: few and many."""

    name: str
    compiler: str
    package: str
    count: Callable[..., Counts]
    frames: tuple[int, int]


# The history of a stream is compacted once in 3 n_fft / hop frames: the many are whole rounds of that, or nearly.
X86 = Machine("x86-64", "gcc", "gcc", count_x86, (100, 300))
ARM = Machine("aarch64", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu", count_arm, (2, 14))  # the log is slow


@dataclass(frozen=True)
class Row:
    n_fft: int
    hop: int
    n_mels: int
    sr: int

    def __str__(self) -> str:
        return f"{self.n_fft} / {self.hop} / {self.n_mels} at {self.sr} Hz"


@dataclass(frozen=True)
class Column:
    """lanes as count_frames takes them; in detail: the second table says what part does what."""

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
PARTS = {"rfft_power": "transform", "band_product": "mel bank", "decibel": "decibels"}  # function -> what it does
REST = "the rest"


def build(machine: Machine, folder: Path) -> Path:
    """count_frames for this machine."""
    program = folder / f"count_frames-{machine.name}"
    compiler = need(machine.compiler, machine.package)
    run(compiler, *FLAGS, "-o", program, *SOURCES, *LIBRARIES)
    return program


def per_frame(machine: Machine, program: Path, row: Row, lanes: str) -> dict[str, float]:
    """Instructions a frame by part; their sum is the whole."""
    few, many = machine.frames
    arguments = [str(value) for value in (row.n_fft, row.hop, row.n_mels, row.sr, lanes)]
    counts = Counter(machine.count(program, *arguments, str(many)))
    counts.subtract(machine.count(program, *arguments, str(few)))
    parts = dict.fromkeys([*PARTS.values(), REST], 0.0)
    for function, number in counts.items():
        parts[PARTS.get(function, REST)] += number / (many - few)
    return parts


def measure(rows: list[Row], columns: list[Column]) -> tuple[Figures, list[str]]:
    """The figures, not yet rounded, of both tables; and what is missing for those that are not there."""
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
    """One cell of the first table and, in detail, a row of the second."""
    figures = {(str(row), column.title): sum(parts.values())}
    if column.in_detail:
        figures |= {(f"{row}, {column.title}", part): number for part, number in parts.items()}
    return figures


def table(figures: Figures) -> str:
    """Markdown: the frame as a whole, then its parts."""
    details = [f"{row}, {column.title}" for column in COLUMNS.values() if column.in_detail for row in ROWS.values()]
    whole = lines("n_fft / hop / bands", list(map(str, ROWS.values())), [c.title for c in COLUMNS.values()], figures)
    parts = lines("of which", details, [*PARTS.values(), REST], figures)
    return "\n".join([*whole, "", *parts, "", f"Counted with {'; '.join(versions())}.", ""])


def lines(corner: str, rows: list[str], columns: list[str], figures: Figures) -> Iterator[str]:
    """One table, without what was not counted."""
    columns = [column for column in columns if any((row, column) in figures for row in rows)]
    yield f"| {' | '.join([corner, *columns])} |"
    yield f"| --- |{' ---: |' * len(columns)}"
    for row in rows:
        cells = [f"{round(figures[row, c] / ROUNDED) * ROUNDED:,}" if (row, c) in figures else "" for c in columns]
        if any(cells):
            yield f"| {' | '.join([row, *cells])} |"


def versions() -> Iterator[str]:
    """Of the tools that are there: the figures depend on them."""
    for command in (X86.compiler, "valgrind", ARM.compiler, "qemu-aarch64-static"):
        if shutil.which(command):
            yield run(command, "--version").splitlines()[0]
    try:
        version = (ctypes.c_char * 64).in_dll(ctypes.CDLL("libfftw3f.so.3"), "fftwf_version")
        yield version.value.decode()
    except (OSError, ValueError):
        pass


def parse(markdown: str) -> Figures:
    """The inverse of `table`, to its digits."""
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


def faults(page: Path, today: Figures, complete: bool) -> list[str]:
    """Figures of today that `page` lacks or has otherwise; and those that it has beyond a complete count."""
    written = parse(split_page(page, "instructions")[1])
    found = [f"{page} has {', '.join(key)}, which is not counted" for key in written if complete and key not in today]
    for (row, column), number in today.items():
        said = written.get((row, column))
        if said is None:
            found.append(f"{page} has no figure for {row}, {column}")
        elif abs(said - number) > TOLERANCE * number + ROUNDED / 2:
            found.append(f"{page} says {said} for {row}, {column}; today it is {number:.0f}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = f"rows of {', '.join(ROWS)}, columns of {', '.join(COLUMNS)}; all where none is named"
    parser.add_argument("--only", nargs="+", choices=[*ROWS, *COLUMNS], default=[], metavar="NAME", help=names)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="FILE")
    action.add_argument("--check", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write writes the whole table")
    rows = [row for name, row in ROWS.items() if name in arguments.only or not {*ROWS} & {*arguments.only}]
    columns = [
        column for name, column in COLUMNS.items() if name in arguments.only or not {*COLUMNS} & {*arguments.only}
    ]
    figures, missing = measure(rows, columns)
    for note in missing:
        print(f"not counted: {note}", file=sys.stderr)
    if arguments.write:
        if missing:
            sys.exit(f"{arguments.write} is left as it is: the table would lack columns")
        before, _, after = split_page(arguments.write, "instructions")
        write_atomically(arguments.write, (before + table(figures) + after).encode())
    elif arguments.check:
        complete = not missing and not arguments.only
        sys.exit("\n".join(faults(arguments.check, figures, complete)) or 0)
    else:
        print(table(figures), end="")


if __name__ == "__main__":
    main()
