"""Compiles the C tests with warnings as errors and sanitizers on, and runs them with every FFTW there is."""

import ctypes
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from genre_edge import fftw

CSRC = Path(__file__).parents[1] / "csrc"
PROGRAMS = sorted(path.stem for path in (CSRC / "test").glob("test_*.c"))
WARNINGS = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
LIBRARIES = ["-lm", "-ldl", "-lpthread"]
SYSTEM = "libfftw3f.so.3"


def fftw_libraries() -> list[str]:
    """Libraries of their own only: pyFFTW's extension module cannot be loaded outside Python."""
    found = [str(path) for path in fftw._bundled() if path.name.startswith("libfftw3f")]
    try:
        ctypes.CDLL(SYSTEM)
    except OSError:
        return found
    return [SYSTEM, *found]


def run(command: list[str]) -> None:
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, f"{shlex.join(command)}: exit status {done.returncode}\n{done.stderr}"


@pytest.fixture(scope="session")
def compiler(tmp_path_factory) -> list[str]:
    candidates = [os.environ.get("CC", ""), "gcc", "cc"]
    found = next((cc for cc in map(shlex.split, candidates) if cc and shutil.which(cc[0])), None)
    if found is None:
        pytest.skip("no C compiler: neither $CC nor gcc nor cc")
    source = tmp_path_factory.mktemp("probe") / "probe.c"
    source.write_text("int main(void) { return 0; }\n")
    try:
        run([*found, *SANITIZERS, str(source), "-o", str(source.with_suffix(""))])
        run([str(source.with_suffix(""))])
    except AssertionError as error:
        pytest.skip(f"no address and undefined-behaviour sanitizers: {error}")
    return found


@pytest.fixture(scope="session")
def program(request, compiler, tmp_path_factory) -> str:
    """A test program and the core, compiled once."""
    target = tmp_path_factory.mktemp("csrc") / request.param
    sources = [CSRC / "test" / f"{request.param}.c", CSRC / "test" / "naive.c", *sorted(CSRC.glob("*.c"))]
    run([*compiler, *WARNINGS, *SANITIZERS, *map(str, sources), "-o", str(target), *LIBRARIES])
    return str(target)


@pytest.mark.skipif(not fftw_libraries(), reason="no FFTW library outside an extension module")
@pytest.mark.parametrize("library", fftw_libraries(), ids=lambda path: Path(path).name)
@pytest.mark.parametrize("program", PROGRAMS, indirect=True)
def test_program(program, library):
    run([program] if library == SYSTEM else [program, library])


def test_each_part_of_the_core_has_a_program():
    assert [f"test_{path.stem}" for path in sorted(CSRC.glob("*.c"))] == PROGRAMS
