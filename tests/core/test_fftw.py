"""Where FFTW comes from. A process binds it once, so each case has a process of its own."""

import subprocess
import sys

import pytest

from genre_edge.mel import fftw

START = "from genre_edge import _logmel, fftw, melspectrogram\nassert _logmel.fftw_version() is None\n"


def run(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, timeout=60)


def test_a_library_is_found_and_bound_once() -> None:
    done = run(
        "fftw.ensure_loaded(); first = _logmel.fftw_version()\n"
        "_logmel.load_fftw = None  # would fail if it were called again\n"
        "fftw.ensure_loaded(); print(first, _logmel.fftw_version() == first)"
    )
    assert done.stdout.startswith("fftw-3"), done.stderr
    assert done.stdout.endswith("True\n")


@pytest.mark.skipif(not fftw._pyfftw_libraries(), reason="pyFFTW's wheel is not installed")
def test_the_wheels_library_serves_without_the_systems() -> None:
    """The system's library is taken away by refusing to load None."""
    done = run(
        "load = _logmel.load_fftw\n"
        "_logmel.load_fftw = lambda path: path is not None and load(path)\n"
        "print(melspectrogram([0.5] * 4096, n_fft=2047).shape, fftw.ensure_loaded() in map(str, fftw._pyfftw_libraries()))"
    )
    assert done.stdout == "(128, 8) True\n", done.stderr


def test_without_a_library_the_error_says_what_to_install() -> None:
    done = run(
        "fftw._bundled = lambda: []\n"
        "_logmel.load_fftw = lambda path: False\n"
        "try:\n    melspectrogram([0.5] * 4096, n_fft=2047)\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    assert done.stdout.startswith("GenreEdgeError FFTW was not found"), done.stderr
    assert "pip install pyfftw" in done.stdout
    assert "apt install libfftw3-single3" in done.stdout


def test_a_library_that_is_missing_or_another_is_refused() -> None:
    done = run(
        "print([_logmel.load_fftw(path) for path in ('/no/such/library.so', 'libm.so.6')], _logmel.fftw_version())\n"
        "fftw.ensure_loaded(); print(_logmel.fftw_version())"
    )
    refused, found = done.stdout.splitlines()
    assert refused == "[False, False] None"
    assert found.startswith("fftw-3")


def test_a_spectrogram_without_fftw_is_refused_by_the_core() -> None:
    done = run(
        "fftw.ensure_loaded = lambda: None\n"
        "try:\n    melspectrogram([0.5] * 4096, n_fft=2047)\n"
        "except RuntimeError as error:\n    print(error)"
    )
    assert "FFTW is not loaded" in done.stdout, done.stderr
