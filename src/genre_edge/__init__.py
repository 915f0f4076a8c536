"""genre-edge hears the genre of music, offline, on a small computer. The public names, nothing else."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genre_edge.classifier import Classifier
    from genre_edge.errors import AudioError, GenreEdgeError, ModelError, ParameterError
    from genre_edge.features import melspectrogram, mfcc, power_to_db
    from genre_edge.mel import MelSpectrogram, MelStream
    from genre_edge.mel_config import MelConfig
    from genre_edge.verdict import Segment, Verdict

_HOMES = {
    "classifier": ("Classifier",),
    "errors": ("AudioError", "GenreEdgeError", "ModelError", "ParameterError"),
    "features": ("melspectrogram", "mfcc", "power_to_db"),
    "mel": ("MelSpectrogram", "MelStream"),
    "mel_config": ("MelConfig",),
    "verdict": ("Segment", "Verdict"),
}

__all__ = [
    "AudioError",
    "Classifier",
    "GenreEdgeError",
    "MelConfig",
    "MelSpectrogram",
    "MelStream",
    "ModelError",
    "ParameterError",
    "Segment",
    "Verdict",
    "melspectrogram",
    "mfcc",
    "power_to_db",
]


def __getattr__(name: str) -> Any:
    """Load a public name's module at its first use, so that `import genre_edge` costs nothing."""
    from importlib import import_module

    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"genre_edge.{module}"), name)
    raise AttributeError(f"module 'genre_edge' has no attribute {name!r}")
