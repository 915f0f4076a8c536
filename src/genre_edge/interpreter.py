"""The one place that knows which TensorFlow Lite runtime is installed."""

from typing import Any

from genre_edge.errors import GenreEdgeError


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
    interpreter = _interpreter_class()(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter
