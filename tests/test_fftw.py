"""Test how FFTW is found and loaded. A process binds FFTW once, so each test starts its own process."""

import subprocess
import sys

import pytest

from genre_edge import fftw

PREAMBLE = "from genre_edge import _logmel, fftw, melspectrogram\nassert _logmel.fftw_version() is None\n"


def run(code: str) -> "subprocess.CompletedProcess[str]":
    """Run Python code in a new process in which FFTW is not bound yet."""
    return subprocess.run([sys.executable, "-c", PREAMBLE + code], capture_output=True, text=True, timeout=60)


def test_fftw_bound_once() -> None:
    """`ensure` finds and binds a library; a second call does not load it again."""
    result = run(
        "fftw.ensure(); first = _logmel.fftw_version()\n"
        "_logmel.load_fftw = None  # a second call would raise\n"
        "fftw.ensure(); print(first, _logmel.fftw_version() == first)"
    )
    assert result.stdout.startswith("fftw-3"), result.stderr
    assert result.stdout.endswith("True\n")


@pytest.mark.skipif(not fftw._bundled(), reason="the pyFFTW wheel is not installed")
def test_fftw_bundled_without_system() -> None:
    """The library in pyFFTW's wheel is used if the system has none (loading None fails here)."""
    result = run(
        "load = _logmel.load_fftw\n"
        "_logmel.load_fftw = lambda path: path is not None and load(path)\n"
        "print(melspectrogram([0.5] * 4096, n_fft=2047).shape, fftw.ensure() in map(str, fftw._bundled()))"
    )
    assert result.stdout == "(128, 8) True\n", result.stderr


def test_fftw_missing_error() -> None:
    """Without any library, the error names the packages to install."""
    result = run(
        "fftw._bundled = lambda: []\n"
        "_logmel.load_fftw = lambda path: False\n"
        "try:\n    melspectrogram([0.5] * 4096, n_fft=2047)\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    assert result.stdout.startswith("GenreEdgeError FFTW was not found"), result.stderr
    assert "pip install pyfftw" in result.stdout
    assert "apt install libfftw3-single3" in result.stdout


def test_load_fftw_invalid_library() -> None:
    """A missing library, or one without FFTW's functions, is not bound; a later `ensure` succeeds."""
    result = run(
        "print([_logmel.load_fftw(path) for path in ('/no/such/library.so', 'libm.so.6')], _logmel.fftw_version())\n"
        "fftw.ensure(); print(_logmel.fftw_version())"
    )
    invalid, valid = result.stdout.splitlines()
    assert invalid == "[False, False] None"
    assert valid.startswith("fftw-3")


def test_core_without_fftw() -> None:
    """The core raises RuntimeError for a size that needs FFTW while FFTW is not bound."""
    result = run(
        "fftw.ensure = lambda: None\n"
        "try:\n    melspectrogram([0.5] * 4096, n_fft=2047)\n"
        "except RuntimeError as error:\n    print(error)"
    )
    assert "FFTW is not loaded" in result.stdout, result.stderr
