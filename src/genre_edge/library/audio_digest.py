"""Digest of a file's audio without its tags, by which scans notice files that were moved or tagged."""

from pathlib import Path

from genre_edge.library.tagging.audio_bytes import sampled_digest


def audio_digest(path: str) -> str | None:
    """Return the digest of samples of a file's audio; None if it cannot be read."""
    try:
        return sampled_digest(Path(path))
    except OSError:
        return None
