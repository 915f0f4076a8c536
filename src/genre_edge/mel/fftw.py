"""Finds FFTW (single precision) for the C core: the system's library, else the one inside the pyFFTW wheel.

Only the shared library is used; pyFFTW itself is never imported (it would cost 0.1 s and scipy's shadow).
"""

from importlib.util import find_spec
from pathlib import Path

from genre_edge.errors import GenreEdgeError
from genre_edge.mel import _logmel


def _bundled() -> list[Path]:
    spec = find_spec("pyfftw")
    if spec is None or not spec.submodule_search_locations:
        return []
    package = Path(spec.submodule_search_locations[0])
    # Wheels keep the library beside the package; a build of one's own may link it into the extension.
    return [*sorted((package.parent / "pyfftw.libs").glob("libfftw3f-*.so*")), *sorted(package.glob("pyfftw*.so"))]


_origin: str | None = None  # of the library that is bound


def ensure() -> str | None:
    """Bind FFTW once for the process, and tell its origin: "system", or a file of pyFFTW's.

    None means that somebody else bound it.

    Raises:
        GenreEdgeError: neither the system nor pyFFTW has a usable library.
    """
    global _origin
    if _logmel.fftw_version() is None:
        _origin = "system" if _logmel.load_fftw(None) else _load_bundled()
    return _origin


def _load_bundled() -> str:
    for path in map(str, _bundled()):
        if _logmel.load_fftw(path):
            return path
    raise GenreEdgeError(
        "FFTW was not found: pip install pyfftw, or install the system's library (apt install libfftw3-single3)"
    )
