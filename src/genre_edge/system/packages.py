"""Packages of the operating system, for messages that say how to install one."""

import sys

_HOMEBREW_NAMES = {"libfftw3-single3": "fftw", "libportaudio2": "portaudio"}


def install_command(package: str) -> str:
    """Return the command that installs a package: with apt, on macOS with Homebrew.

    Args:
        package: name of the Debian package.
    """
    if sys.platform == "darwin":
        return f"brew install {_HOMEBREW_NAMES.get(package, package)}"
    return f"apt install {package}"
