"""The source that the user names as an argument, in a file, or in the environment."""

import os
import select
from pathlib import Path

from genre_edge.errors import ParameterError

DEFAULT_SOURCE = "microphone"
_VARIABLE = "GENRE_EDGE_SOURCE"
_MAX_BYTES = 4096
_TIMEOUT_S = 10.0  # for a pipe, such as the shell's <(...)


def source_name(source: str | None, source_file: Path | None) -> str:
    """Return the source: the argument, else the first line of the file, else GENRE_EDGE_SOURCE, else the microphone.

    Raises:
        ParameterError: argument and file are given, or the file cannot be read, is empty, or its first line is longer
            than 4096 bytes.
    """
    if source_file is None:
        return source if source is not None else os.environ.get(_VARIABLE) or DEFAULT_SOURCE
    if source is not None:
        raise ParameterError("give SOURCE or --source-file, not both")
    try:
        name = os.fsdecode(_first_line(source_file)).removeprefix("\ufeff").strip()
    except (OSError, ValueError) as error:
        raise ParameterError(f"{source_file}: {getattr(error, 'strerror', None) or error}") from None
    if not name:
        raise ParameterError(f"{source_file}: the first line, which names the source, is empty")
    return name


def _first_line(path: Path) -> bytes:
    """Return the first line of a file or a pipe. Raises OSError or ValueError."""
    content = b""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # does not wait for the writer of a pipe
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        while b"\n" not in content:
            if not select.select([file], [], [], _TIMEOUT_S)[0]:
                raise ValueError(f"no line arrives within {_TIMEOUT_S:.0f} s")
            if not (data := file.read(_MAX_BYTES)):
                break
            content += data
            if len(content) > _MAX_BYTES and b"\n" not in content[:_MAX_BYTES]:
                raise ValueError(f"the first line, which names the source, is longer than {_MAX_BYTES} bytes")
    return content.partition(b"\n")[0]
