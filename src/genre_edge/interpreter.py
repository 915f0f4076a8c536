"""The one place that knows which TensorFlow Lite runtime is installed."""

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from genre_edge.errors import GenreEdgeError

_stderr_lock = threading.Lock()


def _interpreter_class() -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        try:
            from tflite_runtime.interpreter import Interpreter
        except ImportError:
            raise GenreEdgeError(
                "no TensorFlow Lite runtime: pip install ai-edge-litert (or tflite-runtime on 32-bit Arm)"
            ) from None
    return Interpreter


def create(content: bytes) -> Any:
    """A single-threaded interpreter for a .tflite file's content, tensors allocated.

    Raises:
        GenreEdgeError: no runtime is installed.
        ValueError, RuntimeError: the runtime refuses the content.
    """
    with _without_greeting():
        interpreter = _interpreter_class()(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _without_greeting() -> Iterator[None]:
    """The runtime's C++ writes an INFO line to stderr, and has no switch for it: let all but that line through."""
    with _stderr_lock, tempfile.TemporaryFile() as log:
        if sys.stderr is None:  # a daemon's: there is nothing to keep clean
            yield
            return
        sys.stderr.flush()
        saved = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            log.seek(0)
            for line in log:
                if not line.startswith(b"INFO: "):
                    os.write(2, line)
