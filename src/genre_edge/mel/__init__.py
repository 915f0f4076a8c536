"""Log-mel spectrograms and MFCC: the C core's binding and librosa-compatible functions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genre_edge.mel.spectrogram import Frames, MelSpectrogram, MelStream

__all__ = ["Frames", "MelSpectrogram", "MelStream"]


def __getattr__(name: str) -> Any:
    """Import the public names on first use, so that importing `genre_edge.mel.config` stays fast."""
    if name not in __all__:
        raise AttributeError(f"module 'genre_edge.mel' has no attribute {name!r}")
    from genre_edge.mel import spectrogram

    return getattr(spectrogram, name)
