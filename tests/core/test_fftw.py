"""Loading of FFTW. A process loads it once, so each test starts a new process."""

import subprocess
import sys
from pathlib import Path

import pytest

from genre_edge.mel import fftw
from tests.conftest import TIMEOUT_S

START = """
from genre_edge import melspectrogram
from genre_edge.mel import _logmel, fftw
assert _logmel.fftw_version() is None
"""


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, timeout=TIMEOUT_S)


def test_ensure_loaded_loads_once() -> None:
    """A second call loads nothing."""
    done = run(
        "fftw.ensure_loaded(); first = _logmel.fftw_version()\n"
        "_logmel.load_fftw = None  # would fail if it were called again\n"
        "fftw.ensure_loaded(); print(first, _logmel.fftw_version() == first)"
    )
    assert done.stdout.startswith("fftw-3"), done.stderr
    assert done.stdout.endswith("True\n")


@pytest.mark.skipif(not fftw._pyfftw_libraries(), reason="pyFFTW's wheel is not installed")
def test_ensure_loaded_from_pyfftw_wheel() -> None:
    """Without the system's library (the path None), the wheel's library is used."""
    done = run(
        "load = _logmel.load_fftw\n"
        "_logmel.load_fftw = lambda path: path is not None and load(path)\n"
        "print(melspectrogram([0.5] * 4096, n_fft=2047).shape)\n"
        "print(fftw.ensure_loaded() in map(str, fftw._pyfftw_libraries()))"
    )
    assert done.stdout == "(128, 8)\nTrue\n", done.stderr


def test_ensure_loaded_without_library() -> None:
    """The error says what to install."""
    done = run(
        "fftw._pyfftw_libraries = lambda: []\n"
        "_logmel.load_fftw = lambda path: False\n"
        "try:\n    melspectrogram([0.5] * 4096, n_fft=2047)\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    assert done.stdout.startswith("GenreEdgeError FFTW, which "), done.stderr
    assert "was not found: pip install pyfftw" in done.stdout
    assert "apt install libfftw3-single3" in done.stdout


def test_ensure_loaded_from_homebrew() -> None:
    """Homebrew's folders are searched after the system's, and its library counts as the system's."""
    done = run(
        "paths = []\n"
        "_logmel.load_fftw = lambda path: paths.append(path) or str(path).startswith('/usr/local/lib/')\n"
        "print(fftw.ensure_loaded(), *paths)"
    )
    libraries = [f"{folder}/lib/libfftw3f.3.dylib" for folder in ("/opt/homebrew", "/usr/local")]
    assert done.stdout.split() == ["system", "None", *libraries], done.stderr


def test_load_fftw_missing_or_other_library() -> None:
    """A library that is missing or not FFTW is rejected, and FFTW can still be loaded."""
    done = run(
        "print([_logmel.load_fftw(path) for path in ('/no/such/library.so', 'libm.so.6')], _logmel.fftw_version())\n"
        "fftw.ensure_loaded(); print(_logmel.fftw_version())"
    )
    failed, loaded = done.stdout.splitlines()
    assert failed == "[False, False] None"
    assert loaded.startswith("fftw-3")


def test_spectrogram_without_fftw() -> None:
    """The core raises an error if FFTW is needed and not loaded."""
    done = run(
        "fftw.ensure_loaded = lambda: None\n"
        "try:\n    melspectrogram([0.5] * 4096, n_fft=2047)\n"
        "except RuntimeError as error:\n    print(error)"
    )
    assert "FFTW is not loaded" in done.stdout, done.stderr


def test_pyfftw_libraries_on_macos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheels for macOS have the library in `pyfftw/.dylibs`; those of other precisions are not taken."""
    libraries = [f".dylibs/libfftw3{kind}.3.dylib" for kind in ("", "f", "f_omp", "l")]
    for name in ("__init__.py", *libraries, "pyfftw.cpython-311-darwin.so"):
        (tmp_path / "pyfftw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pyfftw" / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pyfftw", raising=False)
    expected = [".dylibs/libfftw3f.3.dylib", "pyfftw.cpython-311-darwin.so"]
    assert fftw._pyfftw_libraries() == [tmp_path / "pyfftw" / name for name in expected]
