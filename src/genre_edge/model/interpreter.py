"""The one place that knows which TensorFlow Lite runtime is installed."""

from importlib import import_module
from importlib.metadata import version
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


def runtime() -> tuple[str, str]:
    """The runtime's name and version. Raises GenreEdgeError where none is installed."""
    name = _interpreter_class().__module__.partition(".")[0].replace("_", "-")
    return name, version(name)


def create(content: bytes, *, reference: bool = False) -> Any:
    """A single-threaded interpreter for a .tflite file's content, tensors allocated.

    With `reference`, its kernels are the plain ones that define the arithmetic: slow, and the same on every processor.

    Raises:
        GenreEdgeError: no runtime is installed.
        ValueError, RuntimeError: the runtime refuses the content.
    """
    made_by, options = _interpreter_class(), {}
    if reference:
        resolvers = import_module(made_by.__module__).OpResolverType
        options["experimental_op_resolver_type"] = resolvers.BUILTIN_REF
    interpreter = made_by(model_content=content, num_threads=1, **options)
    interpreter.allocate_tensors()
    return interpreter
