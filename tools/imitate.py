"""A new sound in the style of a song: what the genre network hears in both is the same.

    python tools/imitate.py song.wav -o imitation.wav

A mel spectrogram begins as noise and changes until the network's statistics of it are the song's; then it becomes
sound.
"""

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from imitation import sound
from imitation.style import FINE, Style
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from training import unquantised

from genre_edge import Classifier
from genre_edge.audio.files import open_file
from genre_edge.errors import GenreEdgeError
from genre_edge.frontend import frames_of
from genre_edge.mel import Frames, MelSpectrogram
from genre_edge.mel_config import MelConfig

LONGEST_S = 600.0


@dataclass(frozen=True)
class Imitation:
    """What came of it: genres by the classifier (None if it would not say); how far its style is from the song's."""

    song_genre: str | None
    genre: str | None
    first: float  # distance of the noise
    last: float  # of the picture after the last step
    sound: float  # of the finished sound


class Imitator:
    """Imitates songs in the ears of one bundle."""

    def __init__(self, bundle: str = "edge") -> None:
        self._classifier = Classifier(bundle)
        network = unquantised.network(bundle)
        self._bundle = self._classifier.bundle
        self._style = Style(network, self._bundle)
        mel = self._bundle.mel
        self._mel = replace(mel, hop_length=mel.hop_length // FINE)

    def imitate(self, song: Path, output: Path, seconds: float, steps: int, seed: int, quiet: bool) -> Imitation:
        """Write the imitation. Raises GenreEdgeError if the song cannot be used, OSError if nothing can be written."""
        frames = _frames(song, self._mel)
        columns = round(seconds * self._mel.sr / self._mel.hop_length)
        shortest = (self._bundle.patch_frames + 20) * FINE
        if frames.shape[1] < shortest:
            short_s = shortest * self._mel.hop_length / self._mel.sr
            raise GenreEdgeError(f"{song}: too short to imitate, {short_s:.1f} s are needed")
        if frames.max() < self._bundle.silence_db:
            raise GenreEdgeError(f"{song}: silence has no style")
        heard = self._classifier.classify(song)
        wanted = self._style.of_song(frames)
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True)
        )
        with bar if not quiet else Progress(disable=True) as progress:
            task = progress.add_task(f"{song.name}", total=steps)

            def told(step: int, distance: float) -> None:
                progress.update(task, completed=step, description=f"{song.name}: distance {distance:.3f}")

            picture, distances = self._style.imitate(wanted, max(columns, shortest), steps, seed, told)
        sound.write(output, sound.of_picture(picture, self._mel, seed), self._mel.sr)
        verdict = self._classifier.classify(output)
        written = self._style.of_song(_frames(output, self._mel))
        away = float(self._style.distance(written, wanted))
        return Imitation(heard.genre, verdict.genre, distances[0], distances[-1], away)


def _frames(song: Path, mel: MelConfig) -> Frames:
    most = round(LONGEST_S * mel.sr / mel.hop_length)
    parts: list[Frames] = [np.empty((mel.n_mels, 0), dtype=np.float32)]
    with open_file(song) as source:
        for part in frames_of(source, MelSpectrogram(mel)):
            parts.append(part)
            most -= part.shape[1]
            if most <= 0:
                break
    return np.concatenate(parts, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("song", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the WAV to write")
    parser.add_argument("--model", default="edge", help="a model's name or directory (default: edge)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the imitation (default: 10)")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not 5 <= arguments.seconds <= 120:
        parser.error("--seconds must be from 5 to 120")
    if arguments.steps < 1:
        parser.error("--steps must be at least 1")
    found = Imitator(arguments.model).imitate(
        arguments.song, arguments.output, arguments.seconds, arguments.steps, arguments.seed, not sys.stderr.isatty()
    )
    print(
        f"{arguments.song}: {found.song_genre or 'no genre'}; {arguments.output}: {found.genre or 'no genre'}; "
        f"distance {found.first:.3f}, after {arguments.steps} steps {found.last:.3f}, as sound {found.sound:.3f}"
    )


if __name__ == "__main__":
    try:
        main()
    except (GenreEdgeError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing was written")
