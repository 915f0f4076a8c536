"""Audio files in folders."""

from pathlib import Path

import soundfile

from genre_edge.audio.suffixes import is_audio_name


def readable_audio(folders: list[Path], min_duration_s: float) -> list[Path]:
    """Return all readable audio files below the folders that are long enough, sorted.

    Raises:
        SystemExit: there is none.
    """
    candidates = sorted({path for folder in folders for path in folder.rglob("*") if is_audio_name(path)})
    long_enough = [path for path in candidates if _duration_s(path) >= max(min_duration_s, 1e-3)]
    if not long_enough:
        raise SystemExit(f"{', '.join(map(str, folders))}: no audio of {min_duration_s:g} s or more")
    return long_enough


def _duration_s(path: Path) -> float:
    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, OSError):
        return 0.0
