"""The C tests: under the sanitizers, under valgrind, in threads under the thread sanitizer, on aarch64; and the fuzzer.

The core is compiled once for each of these, with warnings as errors, and linked to each test program.
"""

import ctypes
import os
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from genre_edge.mel import fftw

CSRC = Path(__file__).parents[2] / "csrc"
TESTS = CSRC / "test"
CORE = [*sorted(CSRC.glob("*.c")), *sorted((CSRC / "kernels").glob("*.c"))]
PROGRAMS = sorted(path.stem for path in TESTS.glob("test_*.c"))
CORPUS = sorted((TESTS / "corpus").iterdir())
LANGUAGE = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-ffp-contract=fast", "-g"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
LIBRARIES = ["-lm", "-ldl", "-lpthread"]
SYSTEM = "libfftw3f.so.3"
BRIEFLY = "20000"  # a second argument: less, for what is 30 times slower
COUNTED = ("malloc", "calloc", "realloc", "aligned_alloc", "free", "pthread_mutex_lock")  # by test_memory.c

BUILDS = {
    "sanitized": ("gcc", ["-O2", *SANITIZERS]),
    "plain": ("gcc", ["-O2"]),
    "threads": ("gcc", ["-O2", "-fsanitize=thread"]),
    "aarch64": ("aarch64-linux-gnu-gcc", ["-O3"]),
    "fuzzer": ("clang", ["-O2", "-fsanitize=fuzzer-no-link", *SANITIZERS]),
}


@cache
def fftw_libraries() -> list[str]:
    """Return the FFTW libraries; not pyFFTW's extension module, which cannot be loaded outside Python."""
    found = [str(path) for path in fftw._pyfftw_libraries() if path.name.startswith("libfftw3f")]
    try:
        ctypes.CDLL(SYSTEM)
    except OSError:
        return found
    return [SYSTEM, *found]


def run(command: list[str], timeout: float = 300) -> str:
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
    assert done.returncode == 0, f"{shlex.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@cache
def compiler_of(build: str) -> list[str]:
    """The command, or a skip with the reason. $CC may name another C compiler than gcc."""
    name = BUILDS[build][0]
    candidates = (
        [os.environ.get("CC", ""), "gcc", "cc"] if name == "gcc" else [name, *(f"{name}-{n}" for n in (19, 16, 14))]
    )
    for command in map(shlex.split, candidates):
        if command and shutil.which(command[0]):
            return command
    pytest.skip(f"no {name}")


class Builds:
    """Compiles the core once for each build, and programs from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.core, self.program = cache(self._core), cache(self._program)

    def _core(self, build: str) -> list[str]:
        folder = self.folder / build
        folder.mkdir()
        compiler, flags = compiler_of(build), BUILDS[build][1]
        self._probe(build, [*compiler, *flags], folder)
        objects = []
        for source in [*CORE, TESTS / "naive.c"]:
            objects.append(str(folder / f"{source.stem}.o"))
            run([*compiler, *LANGUAGE, *WARNINGS, *flags, "-c", str(source), "-o", objects[-1]])
        return objects

    def _probe(self, build: str, command: list[str], folder: Path) -> None:
        source = folder / "probe.c"
        source.write_text("int main(void) { return 0; }\n")
        try:
            run([*command, str(source), "-o", str(folder / "probe")])
        except AssertionError as error:
            pytest.skip(f"cannot build {build}: {str(error).splitlines()[1:3]}")

    def _program(self, build: str, name: str, *more: str) -> str:
        target = self.folder / build / f"{name}-program"
        wrap = [f"-Wl,{','.join(f'--wrap={function}' for function in COUNTED)}"] if name == "test_memory" else []
        objects, flags = self.core(build), BUILDS[build][1]
        # -O1: gcc 12 for aarch64 crashes on a test's loop at -O3, and the tests' own speed does not matter.
        command = [*compiler_of(build), *LANGUAGE, *WARNINGS, *flags, "-O1", *more, str(TESTS / f"{name}.c"), *objects]
        run([*command, "-o", str(target), *wrap, *LIBRARIES])
        return str(target)


@pytest.fixture(scope="session")
def builds(tmp_path_factory) -> Builds:
    return Builds(tmp_path_factory.mktemp("csrc"))


@pytest.mark.parametrize("library", ["none", *fftw_libraries()], ids=lambda path: Path(path).name)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program(builds, name, library):
    if library == "none" and name == "test_fftw_api":
        pytest.skip("nothing to test without FFTW")
    run([builds.program("sanitized", name), library])


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "test_threads"])  # the thread sanitizer's
def test_program_under_valgrind(builds, name):
    if not shutil.which("valgrind"):
        pytest.skip("no valgrind")
    arguments = [(fftw_libraries() or ["none"])[0], BRIEFLY]
    checks = ["--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible"]
    run(["valgrind", "-q", *checks, builds.program("plain", name), *arguments])


def test_streams_in_threads_do_not_race(builds):
    run([builds.program("threads", "test_threads"), (fftw_libraries() or ["none"])[0]])


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "test_fftw_api"])
def test_program_on_aarch64(builds, name):
    qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if qemu is None:
        pytest.skip("no qemu-aarch64-static (Debian: qemu-user-static)")
    run([qemu, "-L", "/usr/aarch64-linux-gnu", builds.program("aarch64", name), "none", BRIEFLY])


def test_the_fuzzers_corpus_passes(builds):
    program = builds.program("sanitized", "fuzz_logmel", "-DSTANDALONE")
    assert run([program, *map(str, CORPUS)]) == f"{len(CORPUS)} inputs\n"


def test_the_fuzzer_finds_nothing_new(builds, tmp_path):
    """A bounded run, always the same one; `make fuzz` is the long one."""
    program = builds.program("fuzzer", "fuzz_logmel", "-fsanitize=fuzzer")
    said = run(
        [
            program,
            "-seed=1",
            "-runs=1000",
            "-max_len=128",
            f"-artifact_prefix={tmp_path}/",
            str(tmp_path),
            str(TESTS / "corpus"),
        ]
    )
    assert re.search(r"Done \d{4,} runs", said)


def test_each_part_of_the_core_has_a_program():
    """kernels/*.c are one source in several widths, and test_kernels.c tests each width."""
    parts = {f"test_{path.stem}" for path in CSRC.glob("*.c")} | {"test_kernels"}
    assert parts <= set(PROGRAMS)
