"""The C core compiles for macOS, with the headers of macOS that the package ziglang contains."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TIMEOUT_S
from tests.core.test_csrc import CORE_SOURCES, LANGUAGE_FLAGS, WARNING_FLAGS

pytestmark = pytest.mark.native
pytest.importorskip("ziglang", reason="ziglang is not installed (pip install ziglang)")

TARGETS = ("x86_64-macos.10.13", "aarch64-macos.11.0")  # the oldest versions that current Pythons support


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("source", CORE_SOURCES, ids=lambda path: path.stem)
def test_source_compiles_for_macos(source: Path, target: str, tmp_path: Path) -> None:
    """Each source compiles without warnings: it uses nothing that the oldest supported macOS lacks."""
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", target]
    command = [*zig, *LANGUAGE_FLAGS, *WARNING_FLAGS, "-O3", "-c", str(source), "-o", str(tmp_path / "core.o")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_fftw_name_on_macos(target: str, tmp_path: Path) -> None:
    """The system's FFTW has the name that it has on macOS."""
    source = next(path for path in CORE_SOURCES if path.stem == "fftw_api")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", target]
    done = subprocess.run([*zig, *LANGUAGE_FLAGS, "-E", str(source)], capture_output=True, text=True, timeout=TIMEOUT_S)
    assert 'dlopen(path ? path : "libfftw3f.3.dylib"' in done.stdout, done.stderr
