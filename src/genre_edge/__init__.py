"""genre-edge: offline music genre classification and librosa-compatible log-mel spectrograms.

The public names below are imported on first use (PEP 562), so `import genre_edge` loads no numpy.
"""

from typing import TYPE_CHECKING, Any

from genre_edge import _deprecated

if TYPE_CHECKING:
    from genre_edge.classify.classifier import Classifier
    from genre_edge.classify.verdict import Segment, Verdict
    from genre_edge.errors import AudioError, GenreEdgeError, ModelError, ParameterError
    from genre_edge.mel.config import MelConfig
    from genre_edge.mel.features import melspectrogram, mfcc, power_to_db
    from genre_edge.mel.spectrogram import MelSpectrogram, MelStream

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

__version__ = "0.1.0"  # here, because importlib.metadata is slow to import

_MODULES = {
    "AudioError": "errors",
    "Classifier": "classify.classifier",
    "GenreEdgeError": "errors",
    "MelConfig": "mel.config",
    "MelSpectrogram": "mel.spectrogram",
    "MelStream": "mel.spectrogram",
    "ModelError": "errors",
    "ParameterError": "errors",
    "Segment": "classify.verdict",
    "Verdict": "classify.verdict",
    "melspectrogram": "mel.features",
    "mfcc": "mel.features",
    "power_to_db": "mel.features",
}

_deprecated.install()


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _MODULES:
        raise AttributeError(f"module 'genre_edge' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"genre_edge.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted(__all__)
