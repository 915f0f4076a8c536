"""The TensorFlow Lite runtime: ai-edge-litert or tflite-runtime, whichever is installed."""

from importlib import import_module
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
    """Return the runtime's name and version.

    Raises:
        GenreEdgeError: no runtime is installed.
    """
    from importlib.metadata import version  # slow, and needed by `doctor` only

    name = _interpreter_class().__module__.partition(".")[0].replace("_", "-")
    return name, version(name)


def create(content: bytes, *, reference: bool = False) -> Any:
    """Create a single-threaded interpreter with allocated tensors.

    Args:
        content: content of a .tflite file.
        reference: use the reference kernels (`BUILTIN_REF`), which are slow and return the same values on every CPU.

    Raises:
        GenreEdgeError: no runtime is installed.
        ValueError, RuntimeError: the runtime rejects the content.
    """
    interpreter_class, options = _interpreter_class(), {}
    if reference:
        resolvers = import_module(interpreter_class.__module__).OpResolverType
        options["experimental_op_resolver_type"] = resolvers.BUILTIN_REF
    interpreter = interpreter_class(model_content=content, num_threads=1, **options)
    interpreter.allocate_tensors()
    return interpreter
