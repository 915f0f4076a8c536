"""Generate audio in the style of a song.

    python -m tools.imitate song.wav -o imitation.wav

Starts from noise and optimises a mel spectrogram until the statistics of the genre network's hidden layers match those
of the song (Gatys et al. 2015), then converts it to audio (Griffin and Lim 1984).
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
from tools.paper.imitation import song, synthesis
from tools.paper.imitation.style import Style
from tools.training import float_network

DEFAULT_S = 10.0
MAX_SEED = 2**32 - 1  # librosa's limit


@dataclass(frozen=True)
class Imitation:
    """Result of an imitation.

    Attributes:
        song_genre, genre: predicted genre of the song and of the imitation; None without a confident prediction.
        first, last, audio: style distance from the song of the noise, of the spectrogram after the last step and of the
            audio.
    """

    song_genre: str | None
    genre: str | None
    first: float
    last: float
    audio: float


class Imitator:
    """Imitates songs with the network of one bundle."""

    def __init__(self, bundle: str = "paper") -> None:
        self._classifier = Classifier(bundle)
        self._bundle = self._classifier.bundle
        self._style = Style(float_network.load(bundle), self._bundle)
        self._mel = song.fine_mel(self._bundle.mel)

    def imitate(
        self, original: Path, output: Path, seconds: float | None, steps: int, seed: int, quiet: bool
    ) -> Imitation:
        """Write an imitation as WAV.

        Args:
            original: the song.
            output: WAV file to write.
            seconds: duration; None for 10 s, or one patch of the network if that is longer.
            steps: number of optimisation steps.
            seed: seed of noise and phases.
            quiet: whether to hide the progress bar.

        Raises:
            GenreEdgeError: the song or the duration cannot be used.
            OSError: the file cannot be written.
        """
        columns = self._columns(seconds)
        frames = song.read(original, self._bundle)
        song_verdict = self._classifier.classify(original)
        target = self._style.song_statistics(frames)
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True)
        )
        with bar if not quiet else Progress(disable=True) as progress:
            task = progress.add_task(f"{original.name}", total=steps)

            def on_step(step: int, distance: float) -> None:
                progress.update(task, completed=step, description=f"{original.name}: distance {distance:.3f}")

            noise, spectrogram = self._style.imitate(target, columns, steps, seed, on_step)
        synthesis.write(output, synthesis.invert(spectrogram, self._mel, seed), self._mel.sr)
        verdict = self._classifier.classify(output)
        spectrograms = (noise, spectrogram, song.read(output, self._bundle))
        return Imitation(song_verdict.genre, verdict.genre, *(self._style.distance_of(x, target) for x in spectrograms))

    def _columns(self, seconds: float | None) -> int:
        columns = round((DEFAULT_S if seconds is None else seconds) * self._mel.sr / self._mel.hop_length)
        shortest = self._style.shortest
        if seconds is not None and columns < shortest:
            short_s = shortest * self._mel.hop_length / self._mel.sr
            raise GenreEdgeError(
                f"--seconds {seconds:g}: model {self._bundle.name!r} needs at least {short_s + 0.05:.1f}"
            )
        return max(columns, shortest)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("song", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the WAV to write")
    parser.add_argument(
        "--model", default="paper", help="name or directory of a model with the paper's network (default: paper)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        help="duration of the imitation in seconds (default: 10, or one patch of the model if that is longer)",
    )
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def argument_error(arguments: argparse.Namespace) -> str | None:
    """Return a message about the first bad argument, if any."""
    output: Path = arguments.output
    if arguments.seconds is not None and not 5 <= arguments.seconds <= 120:
        return "--seconds must be from 5 to 120"
    if arguments.steps < 1:
        return "--steps must be at least 1"
    if not 0 <= arguments.seed <= MAX_SEED:
        return f"--seed must be from 0 to {MAX_SEED}"
    if output.suffix.lower() != ".wav":
        return f"{output}: the output is a WAV file, its name must end in .wav"
    if not output.parent.is_dir():
        return f"{output}: the folder {str(output.parent)!r} does not exist"
    if output.is_dir():
        return f"{output}: is a folder"
    if output.exists() and arguments.song.exists() and output.samefile(arguments.song):
        return f"{output}: is the input song"
    return None


def run(arguments: argparse.Namespace) -> None:
    """Check the arguments, imitate the song and print genres and distances."""
    if message := argument_error(arguments):
        print(f"error: {message}", file=sys.stderr)
        sys.exit(2)
    song.read(arguments.song, Bundle.load(bundle_path(arguments.model)))  # report a bad song before loading the network
    result = Imitator(arguments.model).imitate(
        arguments.song, arguments.output, arguments.seconds, arguments.steps, arguments.seed, not sys.stderr.isatty()
    )
    print(
        f"{arguments.song}: {result.song_genre or 'no genre'}; {arguments.output}: {result.genre or 'no genre'}; "
        f"distance {result.first:.3f}, after {arguments.steps} steps {result.last:.3f}, of the audio {result.audio:.3f}"
    )


def main() -> None:
    """Parse the command line and imitate a song. Errors end the program with one line and exit code 1 or 2."""
    try:
        run(parse_arguments())
    except (GenreEdgeError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: no file written")


if __name__ == "__main__":
    main()
