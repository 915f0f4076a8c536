"""Count instructions per frame: compile csrc/test/count_frames.c and run it under callgrind or QEMU.

The program runs twice, for few and for many frames; the difference is the frames alone, because start-up and FFT plans
are the same in both runs.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CSRC = Path(__file__).parents[2] / "csrc"
SOURCES = [
    *(CSRC / "test" / name for name in ("count_frames.c", "naive.c")),
    *sorted(CSRC.glob("*.c")),
    *sorted((CSRC / "kernels").glob("*.c")),
]
FLAGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O3", "-ffp-contract=fast", "-fvisibility=hidden"]  # as setup.py
# Bind symbols at start-up: with lazy binding, the first call of a function would count the dynamic linker.
LIBRARIES = ["-Wl,-z,now", "-lm", "-ldl", "-lpthread"]
ARM_ROOT = "/usr/aarch64-linux-gnu"  # libraries of Debian's cross compiler
ARM_CPU = "cortex-a72"  # Raspberry Pi 4; the C library selects its memcpy by processor

UNSUPPORTED = 2  # count_frames's exit status if it lacks vector instructions or FFTW

Counts = dict[str, int]  # function -> instructions


class MissingError(Exception):
    """A tool or feature is missing. The message names the Debian package to install."""


def run(*command: str | Path) -> str:
    """Run a command and return its stdout.

    Raises SystemExit on failure: code that does not compile must not be reported as a missing tool.
    """
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{Path(command[0]).name}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def check_exit_status(program: Path, status: int, stderr: str) -> None:
    """Raise MissingError if count_frames reports missing vector instructions or FFTW, SystemExit if it fails."""
    if status == UNSUPPORTED:
        raise MissingError(stderr.strip())
    if status:
        sys.exit(f"{program.name}: exit status {status}\n{stderr}")


def find_program(program: str, package: str) -> str:
    """Return the path of a program. Raises MissingError with the Debian package that has it."""
    path = shutil.which(program)
    if path is None:
        raise MissingError(f"no {program}: apt install {package}")
    return path


def count_x86(program: Path, *arguments: str) -> Counts:
    """Count one run with callgrind."""
    valgrind, annotate = find_program("valgrind", "valgrind"), find_program("callgrind_annotate", "valgrind")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        command = [valgrind, "-q", "--tool=callgrind", f"--callgrind-out-file={out}", str(program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        check_exit_status(program, done.returncode, done.stderr)
        report = run(annotate, "--show-percs=no", "--auto=no", "--threshold=100", out)
    counts: Counter[str] = Counter()
    for number, function in re.findall(r"^ *([\d,]+) +[^:\n]*:([^\s']+)", report, flags=re.MULTILINE):
        counts[function] += int(number.replace(",", ""))
    total = re.search(r"^ *([\d,]+) .*PROGRAM TOTALS", report, flags=re.MULTILINE)
    assert total and counts.total() == int(total[1].replace(",", "")), "cannot parse callgrind_annotate's report"
    return counts


@cache
def single_step_option(qemu: str) -> str:
    """Return QEMU's option for translation blocks of one instruction, which version 8.1 renamed."""
    return "-one-insn-per-tb" if "-one-insn-per-tb" in run(qemu, "-help") else "-singlestep"


def count_arm(program: Path, *arguments: str) -> Counts:
    """Count one run with QEMU: blocks of one instruction, not chained, are logged one line each."""
    qemu = find_program("qemu-aarch64-static", "qemu-user-static")
    command = [qemu, "-L", ARM_ROOT, "-cpu", ARM_CPU, single_step_option(qemu), "-d", "exec,nochain", str(program)]
    counts: Counter[bytes] = Counter()
    last_message = b""
    with subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, bufsize=1 << 20) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith(b"Trace "):  # Trace 0: host address [flags/address/flags/flags] function
                counts[line[line.rindex(b"]") + 1 :].strip()] += 1
            elif line.startswith(b"Stopped execution"):  # this block is logged and will be logged again
                counts[b""] -= 1
            else:
                last_message = line
    check_exit_status(program, process.returncode, last_message.decode(errors="replace"))
    return {function.decode(): number for function, number in counts.items()}


@dataclass(frozen=True)
class Machine:
    """A processor architecture.

    Attributes:
        name: its name in tables and messages.
        compiler: C compiler that targets it.
        package: Debian package of the compiler.
        count: counts one run of a program with these arguments.
        frames: numbers of frames of the two runs.
    """

    name: str
    compiler: str
    package: str
    count: Callable[..., Counts]
    frames: tuple[int, int]


# A stream's history is compacted every 3 n_fft / hop frames: the differences are nearly multiples of that.
X86 = Machine("x86-64", "gcc", "gcc", count_x86, (100, 300))
ARM = Machine("aarch64", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu", count_arm, (2, 14))  # logging is slow


@dataclass(frozen=True)
class Row:
    """Spectrogram parameters: samples per FFT, samples per hop, mel bands, sample rate in Hz."""

    n_fft: int
    hop: int
    n_mels: int
    sr: int

    def __str__(self) -> str:
        return f"{self.n_fft} / {self.hop} / {self.n_mels} at {self.sr} Hz"


PARTS = {"rfft_power": "transform", "band_product": "mel bank", "decibel": "decibels"}  # function -> label
REST = "other"


def build(machine: Machine, folder: Path) -> Path:
    """Compile count_frames for a machine and return its path. Raises MissingError without a compiler."""
    program = folder / f"count_frames-{machine.name}"
    compiler = find_program(machine.compiler, machine.package)
    run(compiler, *FLAGS, "-o", program, *SOURCES, *LIBRARIES)
    return program


def per_frame(machine: Machine, program: Path, row: Row, lanes: str) -> dict[str, float]:
    """Return instructions per frame by part."""
    few, many = machine.frames
    arguments = [str(value) for value in (row.n_fft, row.hop, row.n_mels, row.sr, lanes)]
    counts = Counter(machine.count(program, *arguments, str(many)))
    counts.subtract(machine.count(program, *arguments, str(few)))
    parts = dict.fromkeys([*PARTS.values(), REST], 0.0)
    for function, number in counts.items():
        parts[PARTS.get(function, REST)] += number / (many - few)
    return parts
