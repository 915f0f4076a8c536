"""Model bundles: loading, preprocessing and inference with TensorFlow Lite."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genre_edge.model.bundle import Bundle
    from genre_edge.model.prediction import Model

__all__ = ["Bundle", "Model"]


def __getattr__(name: str) -> Any:
    """Import the two classes on first use, so that `genre_edge.model.bundle` needs no TensorFlow Lite runtime."""
    if name == "Bundle":
        from genre_edge.model.bundle import Bundle

        return Bundle
    if name == "Model":
        from genre_edge.model.prediction import Model

        return Model
    raise AttributeError(f"module 'genre_edge.model' has no attribute {name!r}")
