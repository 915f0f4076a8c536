"""Exceptions of the package. The message is one line that names the file or parameter and the reason."""


class GenreEdgeError(Exception):
    """Base class of the exceptions that genre-edge raises deliberately.

    Attributes:
        exit_code: exit code of a command that ends with this exception.
    """

    exit_code = 1


class ParameterError(GenreEdgeError, ValueError):
    """Raised for a parameter that is out of range; the message names the parameter, its value and the allowed range."""

    exit_code = 2


class AudioError(GenreEdgeError):
    """Raised if a source cannot be read as audio."""


class UnusableSourceError(AudioError):
    """Raised if a server's answer shows that further attempts are pointless: no audio at this address, or no access."""


class SourceLostError(AudioError):
    """Raised if a live source could not be reopened in the permitted number of attempts."""

    exit_code = 3


class ModelError(GenreEdgeError):
    """Raised if a model bundle is missing, damaged or inconsistent, or its network cannot be run."""

    exit_code = 2
