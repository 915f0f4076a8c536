"""Loading of FFTW (single precision) for the C core: the library of the system or of Homebrew, else pyFFTW's.

Of the pyFFTW wheel only the shared library is used. pyFFTW itself is not imported: the import takes 0.1 s.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

from genre_edge.errors import GenreEdgeError
from genre_edge.mel import _logmel
from genre_edge.system.packages import install_command

_SYSTEM_LIBRARIES = (
    None,  # by its name; on macOS, dlopen(3) may not look in Homebrew's folders
    "/opt/homebrew/lib/libfftw3f.3.dylib",
    "/usr/local/lib/libfftw3f.3.dylib",
)
_origin: str | None = None  # origin of the loaded library, see `ensure_loaded`


def ensure_loaded() -> str | None:
    """Load FFTW once per process, and return its origin: "system", or the path of pyFFTW's library.

    None means that other code has loaded FFTW through `_logmel.load_fftw`.

    Raises:
        GenreEdgeError: neither the system nor pyFFTW has a usable library.
    """
    global _origin
    if _logmel.fftw_version() is None:
        _origin = "system" if any(map(_logmel.load_fftw, _SYSTEM_LIBRARIES)) else _load_from_pyfftw()
    return _origin


def _load_from_pyfftw() -> str:
    for path in map(str, _pyfftw_libraries()):
        if _logmel.load_fftw(path):
            return path
    advice = f"install the system's library ({install_command('libfftw3-single3')})"
    if sys.version_info < (3, 15):
        advice = f"pip install pyfftw, or {advice}"
    else:
        advice = f"pyfftw has no wheel for this version of Python; {advice}"
    raise GenreEdgeError(f"FFTW, which FFTs of odd sizes and with prime factors above 5 need, was not found: {advice}")


def _pyfftw_libraries() -> list[Path]:
    spec = find_spec("pyfftw")
    if spec is None or not spec.submodule_search_locations:
        return []
    package = Path(spec.submodule_search_locations[0])
    # Wheels have the library beside the package, for macOS within it; a local build may link it into the extension.
    linux, macos = package.parent.glob("pyfftw.libs/libfftw3f-*.so*"), package.glob(".dylibs/libfftw3f.*.dylib")
    return [*sorted(linux), *sorted(macos), *sorted(package.glob("pyfftw*.so"))]
