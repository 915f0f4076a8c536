"""What can go wrong, in one line each: the message names the thing and the reason."""


class GenreEdgeError(Exception):
    """Base of all errors that genre-edge raises on purpose.

    Attributes:
        exit_code: of the command that dies of it.
    """

    exit_code = 1


class ParameterError(GenreEdgeError, ValueError):
    """A parameter is outside what is allowed; the message says which, its value and the range."""

    exit_code = 2


class AudioError(GenreEdgeError):
    """A source cannot be read as audio."""


class SourceLostError(AudioError):
    """A live source has gone for good: it was tried in vain as often as was asked."""

    exit_code = 3


class ModelError(GenreEdgeError):
    """A model bundle is missing, damaged or does not fit."""

    exit_code = 2
