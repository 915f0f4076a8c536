"""Test the C core with sanitizers, under valgrind, for aarch64 under QEMU, and with the fuzzer.

Each build compiles the core once, with warnings as errors, and links it to the test programs in csrc/test.
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

pytestmark = pytest.mark.native

CSRC = Path(__file__).parents[2] / "csrc"
TEST_DIR = CSRC / "test"
CORE_SOURCES = [*sorted(CSRC.glob("*.c")), *sorted((CSRC / "kernels").glob("*.c"))]
PROGRAMS = sorted(path.stem for path in TEST_DIR.glob("test_*.c"))
CORPUS = sorted((TEST_DIR / "corpus").iterdir())
LANGUAGE_FLAGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-ffp-contract=fast", "-g"]
WARNING_FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
LIBRARIES = ["-lm", "-ldl", "-lpthread"]
SYSTEM_FFTW = "libfftw3f.so.3"
REDUCED = "20000"  # second argument of a test program: less work, because valgrind and QEMU are 30 times slower
WRAPPED = ("malloc", "calloc", "realloc", "posix_memalign", "free", "pthread_mutex_lock")  # in test_memory.c

BUILDS = {
    "sanitized": ("gcc", ["-O1", *SANITIZERS]),  # -O2 compiles three times as long
    "plain": ("gcc", ["-O2"]),
    "threads": ("gcc", ["-O2", "-fsanitize=thread"]),
    "aarch64": ("aarch64-linux-gnu-gcc", ["-O3"]),
    "fuzzer": ("clang", ["-O2", "-fsanitize=fuzzer-no-link", *SANITIZERS]),
}


@cache
def fftw_libraries() -> list[str]:
    """Return the standalone FFTW libraries: pyFFTW's extension module cannot be loaded outside Python."""
    bundled = [str(path) for path in fftw._pyfftw_libraries() if path.name.startswith("libfftw3f")]
    try:
        ctypes.CDLL(SYSTEM_FFTW)
    except OSError:
        return bundled
    return [SYSTEM_FFTW, *bundled]


def run(command: list[str], timeout: float = 300) -> str:
    """Return stdout and stderr of a command; fail if its exit status is not 0."""
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
    output = result.stdout + result.stderr
    assert result.returncode == 0, f"{shlex.join(command)}: exit status {result.returncode}\n{output}"
    return output


@cache
def find_compiler(build: str) -> list[str]:
    """Return the compiler command of a build, or skip the test. $CC overrides gcc."""
    name = BUILDS[build][0]
    candidates = (
        [os.environ.get("CC", ""), "gcc", "cc"] if name == "gcc" else [name, *(f"{name}-{n}" for n in (19, 16, 14))]
    )
    for command in map(shlex.split, candidates):
        if command and shutil.which(command[0]):
            return command
    pytest.skip(f"{name} is not installed")


class Builds:
    """Compiles the core once per build and links test programs to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.core, self.program = cache(self._core), cache(self._program)

    def _core(self, build: str) -> list[str]:
        folder = self.folder / build
        folder.mkdir()
        compiler, flags = find_compiler(build), BUILDS[build][1]
        self._probe(build, [*compiler, *flags], folder)
        objects = []
        for source in [*CORE_SOURCES, TEST_DIR / "naive.c"]:
            objects.append(str(folder / f"{source.stem}.o"))
            run([*compiler, *LANGUAGE_FLAGS, *WARNING_FLAGS, *flags, "-c", str(source), "-o", objects[-1]])
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
        wrap = [f"-Wl,{','.join(f'--wrap={function}' for function in WRAPPED)}"] if name == "test_memory" else []
        objects, flags = self.core(build), BUILDS[build][1]
        # -O1: gcc 12 for aarch64 crashes on a loop in a test at -O3, and the speed of the tests does not matter.
        command = [
            *find_compiler(build),
            *LANGUAGE_FLAGS,
            *WARNING_FLAGS,
            *flags,
            "-O1",
            *more,
            str(TEST_DIR / f"{name}.c"),
            *objects,
        ]
        run([*command, "-o", str(target), *wrap, *LIBRARIES])
        return str(target)


@pytest.fixture(scope="session")
def builds(tmp_path_factory) -> Builds:
    return Builds(tmp_path_factory.mktemp("csrc"))


@pytest.mark.parametrize("library", ["none", *fftw_libraries()], ids=lambda path: Path(path).name)
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_sanitized(builds, name, library):
    if library == "none" and name == "test_fftw_api":
        pytest.skip("test_fftw_api needs FFTW")
    run([builds.program("sanitized", name), library])


@pytest.mark.parametrize(
    "name", [name for name in PROGRAMS if name != "test_threads"]
)  # runs with the thread sanitizer
def test_program_valgrind(builds, name):
    if not shutil.which("valgrind"):
        pytest.skip("valgrind is not installed")
    arguments = [(fftw_libraries() or ["none"])[0], REDUCED]
    checks = ["--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible"]
    run(["valgrind", "-q", *checks, builds.program("plain", name), *arguments])


def test_threads_thread_sanitizer(builds):
    """Streams of one plan in several threads have no data race."""
    run([builds.program("threads", "test_threads"), (fftw_libraries() or ["none"])[0]])


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "test_fftw_api"])
def test_program_aarch64(builds, name):
    qemu = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if qemu is None:
        pytest.skip("qemu-aarch64-static is not installed (Debian: qemu-user-static)")
    run([qemu, "-L", "/usr/aarch64-linux-gnu", builds.program("aarch64", name), "none", REDUCED])


def test_fuzzer_corpus(builds):
    """Every input in csrc/test/corpus passes with the sanitizers."""
    program = builds.program("sanitized", "fuzz_logmel", "-DSTANDALONE")
    assert run([program, *map(str, CORPUS)]) == f"{len(CORPUS)} inputs\n"


def test_fuzzer_short_run(builds, tmp_path):
    """A short fuzzer run with a fixed seed finds no failure; `make fuzz` runs longer."""
    program = builds.program("fuzzer", "fuzz_logmel", "-fsanitize=fuzzer")
    output = run(
        [
            program,
            "-seed=1",
            "-runs=1000",
            "-max_len=128",
            f"-artifact_prefix={tmp_path}/",
            str(tmp_path),
            str(TEST_DIR / "corpus"),
        ]
    )
    assert re.search(r"Done \d{4,} runs", output)


def test_every_source_has_a_test_program():
    """Every csrc/*.c has a test program; test_kernels.c covers kernels/*.c, which is one source in several widths."""
    expected = {f"test_{path.stem}" for path in CSRC.glob("*.c")} | {"test_kernels"}
    assert expected <= set(PROGRAMS)
