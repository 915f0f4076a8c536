"""A new sound in the style of a song: what the genre network hears in both is the same.

    python -m tools.imitate song.wav -o imitation.wav

A mel spectrogram begins as noise and changes until the network's statistics of it are the song's; then it becomes
sound.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from genre_edge import Classifier
from genre_edge.errors import GenreEdgeError
from genre_edge.model.bundle import Bundle, bundle_path
from tools.paper.imitation import song, sound
from tools.paper.imitation.style import Style
from tools.training import float_network

DEFAULT_S = 10.0
MAX_SEED = 2**32 - 1  # librosa's


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
        self._bundle = self._classifier.bundle
        self._style = Style(float_network.load(bundle), self._bundle)
        self._mel = song.fine(self._bundle.mel)

    def imitate(
        self, original: Path, output: Path, seconds: float | None, steps: int, seed: int, quiet: bool
    ) -> Imitation:
        """Write the imitation: of 10 s if no length is given, or as long as the network listens at a time.

        Raises GenreEdgeError if song or length cannot be used, OSError if nothing can be written.
        """
        columns = self._columns(seconds)
        frames = song.read(original, self._bundle)
        heard = self._classifier.classify(original)
        wanted = self._style.of_song(frames)
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True)
        )
        with bar if not quiet else Progress(disable=True) as progress:
            task = progress.add_task(f"{original.name}", total=steps)

            def told(step: int, distance: float) -> None:
                progress.update(task, completed=step, description=f"{original.name}: distance {distance:.3f}")

            noise, picture = self._style.imitate(wanted, columns, steps, seed, told)
        sound.write(output, sound.of_picture(picture, self._mel, seed), self._mel.sr)
        verdict = self._classifier.classify(output)
        seen = (noise, picture, song.read(output, self._bundle))
        return Imitation(heard.genre, verdict.genre, *(self._style.away(frames, wanted) for frames in seen))

    def _columns(self, seconds: float | None) -> int:
        columns = round((DEFAULT_S if seconds is None else seconds) * self._mel.sr / self._mel.hop_length)
        shortest = self._style.shortest
        if seconds is not None and columns < shortest:
            short_s = shortest * self._mel.hop_length / self._mel.sr
            raise GenreEdgeError(
                f"--seconds {seconds:g}: model {self._bundle.name!r} needs {short_s + 0.05:.1f} or more"
            )
        return max(columns, shortest)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("song", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the WAV to write")
    parser.add_argument("--model", default="edge", help="a model's name or directory (default: edge)")
    parser.add_argument(
        "--seconds", type=float, help="length of the imitation (default: 10, or what the model listens to at a time)"
    )
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def fault(arguments: argparse.Namespace) -> str | None:
    """What is wrong with the arguments, if something is."""
    output: Path = arguments.output
    if arguments.seconds is not None and not 5 <= arguments.seconds <= 120:
        return "--seconds must be from 5 to 120"
    if arguments.steps < 1:
        return "--steps must be at least 1"
    if not 0 <= arguments.seed <= MAX_SEED:
        return f"--seed must be from 0 to {MAX_SEED}"
    if output.suffix.lower() != ".wav":
        return f"{output}: the output is a WAV, its name must end in .wav"
    if not output.parent.is_dir():
        return f"{output}: there is no folder {str(output.parent)!r}"
    if output.is_dir():
        return f"{output}: is a folder"
    if output.exists() and arguments.song.exists() and output.samefile(arguments.song):
        return f"{output}: is the song itself"
    return None


def main() -> None:
    arguments = parse_arguments()
    if wrong := fault(arguments):
        print(f"error: {wrong}", file=sys.stderr)
        sys.exit(2)
    song.read(arguments.song, Bundle.load(bundle_path(arguments.model)))  # a bad song is told before the network loads
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
