"""The TensorFlow Lite runtime, LiteRT."""

from types import ModuleType
from typing import Any

from genre_edge.errors import GenreEdgeError

_NAME = "ai-edge-litert"


def _litert() -> ModuleType:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        if not isinstance(error, ModuleNotFoundError) or error.name != "ai_edge_litert":
            raise GenreEdgeError(f"the TensorFlow Lite runtime cannot be loaded: {error}") from None
        raise GenreEdgeError(
            f"the TensorFlow Lite runtime is not installed: pip install {_NAME} (it has wheels for Python 3.10 to 3.14 "
            "on 64-bit Linux, and on macOS for Apple silicon; spectrograms need no runtime)"
        ) from None
    return interpreter  # type: ignore[no-any-return]


def runtime() -> tuple[str, str]:
    """Return the runtime's name and version.

    Raises:
        GenreEdgeError: the runtime is not installed or cannot be loaded.
    """
    from importlib.metadata import version  # slow, and needed by `doctor` only

    _litert()
    return _NAME, version(_NAME)


def create(content: bytes, *, reference: bool = False) -> Any:
    """Create a single-threaded interpreter with allocated tensors.

    Args:
        content: content of a .tflite file.
        reference: use the reference kernels (`BUILTIN_REF`), which are slow and return the same values on every CPU.

    Raises:
        GenreEdgeError: the runtime is not installed or cannot be loaded.
        ValueError, RuntimeError: the runtime rejects the content.
    """
    litert, options = _litert(), {}
    if reference:
        options["experimental_op_resolver_type"] = litert.OpResolverType.BUILTIN_REF
    interpreter = litert.Interpreter(model_content=content, num_threads=1, **options)
    interpreter.allocate_tensors()
    return interpreter
