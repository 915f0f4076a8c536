"""Verdicts for talk or noise beside music: is the genre the song's own, none, or a third?

    python -m tools.mixtures --write docs/mixtures.md song1.ogg song2.flac ...

Each song is joined with talk (espeak-ng) or with noise, before or after it, in shares of 0 to 100 %. `whole` keeps
the whole song and adds the other sound; `part` replaces the end of the song, so that the length stays the same. The
song's own genre is that of the verdict for the song alone; a part alone may have another one. A third genre is an
error; no genre, with a reason, is not.
"Before" is the earlier rule: the mean over all patches that are not silent, refused ones included.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genre_edge.audio.block import Block
from genre_edge.audio.files import open_file
from genre_edge.audio.resample import Resampler
from genre_edge.audio.source import Source
from genre_edge.classify.aggregation import Aggregator
from genre_edge.classify.frontend import FrontEnd
from genre_edge.classify.inference import Gap, StreamPredictor
from genre_edge.classify.patches import PatchResult, is_refused
from genre_edge.classify.vocabulary import Vocabulary
from genre_edge.mel.spectrogram import MelSpectrogram
from genre_edge.model.bundle import Bundle
from genre_edge.model.prediction import Model
from tools.docs.pages import split_page

RATE = 22050
SHARES = tuple(range(0, 101, 10))  # of music, in per cent
VOICES = (("en-us", 160), ("en+f3", 150), ("de", 140))  # espeak-ng's voice, words in a minute
NOISES = tuple((colour, db) for colour in ("white", "pink") for db in (-90, -70, -50))  # RMS, dB full scale
SONG_S = 20.0  # of each song
TEXT = """The first ferry leaves at seven in the morning. Passengers with bicycles wait behind the yellow line until the
crew has lowered the ramp. On windy days the crossing takes longer, because the captain keeps close to the
northern shore. Tickets are sold on board; children under six travel free of charge. The weather remains
unsettled, with showers in the west and longer dry spells inland. In the evening the wind turns and the clouds
break up slowly. Traffic on the ring road is heavy between the second and the fourth junction, where a lorry
has lost part of its load. The city council discussed the budget for schools and libraries on Tuesday. And now
a recipe for a simple soup. Chop two onions and fry them gently in a spoonful of oil. Add a pound of carrots,
a potato and a litre of water. Let the pot simmer for half an hour."""

Samples = NDArray[np.float32]


class SamplesSource(Source):
    """Source of mono samples at `RATE`."""

    def __init__(self, samples: Samples) -> None:
        self.name, self.rate, self.channels, self._samples = "samples", RATE, 1, samples

    def blocks(self) -> Iterator[Block]:
        """Yield blocks of a second."""
        for start in range(0, len(self._samples), RATE):
            yield Block(self._samples[start : start + RATE], RATE, start)


def patch_results(model: Model, mel: MelSpectrogram, samples: Samples) -> list[PatchResult]:
    """Return the results of all patches of mono samples at `RATE`."""
    results: list[PatchResult] = []
    for item in StreamPredictor(model, FrontEnd(SamplesSource(samples), mel).chunks()).run():
        results += item.tail if isinstance(item, Gap) else [item]
    return results


def genre(bundle: Bundle, results: list[PatchResult]) -> str | None:
    """Return the verdict's genre."""
    aggregator = Aggregator(Vocabulary(bundle), keep_segments=False)
    for result in results:
        aggregator.add(result)
    return aggregator.segment().genre


def genre_of_mean(bundle: Bundle, results: list[PatchResult]) -> str | None:
    """Return the genre by the earlier rule, the mean of all patches that are not silent."""
    audible = [result.probabilities for result in results if result.probabilities is not None]
    if not audible:
        return None
    mean = np.mean(audible, axis=0)
    best = int(np.argmax(mean[bundle.layout.labels]))
    return None if is_refused(mean, bundle) or mean[best] < bundle.threshold else bundle.labels[best]


def load(path: Path) -> Samples:
    """Return a file's samples at `RATE`."""
    with open_file(path) as source:
        resampler = Resampler(source.rate, RATE)
        parts: list[Samples] = [resampler.push(block.samples) for block in source.blocks()]
    return np.concatenate([*parts, resampler.flush()])


def talk(voice: str, words_per_minute: int) -> Samples:
    """Return `TEXT` as espeak-ng speaks it, at its own level."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "talk.wav"
        command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "-w", str(path), TEXT]
        subprocess.run(command, check=True)
        return load(path)


def noise(colour: str, level_db: float, n: int, seed: int = 0) -> Samples:
    """Return `n` samples of white or pink noise with an RMS of `level_db` dB below full scale (1.0)."""
    y = np.random.default_rng(seed).standard_normal(n)
    if colour == "pink":
        spectrum = np.fft.rfft(y)
        spectrum[0] = 0
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        y = np.fft.irfft(spectrum, n)
    samples: Samples = (y * 10 ** (level_db / 20) / np.sqrt(np.mean(y**2))).astype(np.float32)
    return samples


def other_sounds() -> dict[str, Samples]:
    """Return the sounds that are not music, by name; they are repeated to the length needed."""
    sounds = {f"talk, {voice}": talk(voice, speed) for voice, speed in VOICES}
    return sounds | {f"{colour} noise, {db} dB": noise(colour, db, round(60 * RATE)) for colour, db in NOISES}


def mixtures(song: Samples, other: Samples, share: int) -> Iterator[tuple[str, Samples, Samples]]:
    """Yield (kind, music, mixture) for `share` per cent of music: whole and part, before and after."""
    n_whole = len(song) if share == 0 else round(len(song) * (100 - share) / share)
    n_part = len(song) * share // 100
    for kind, music, n in (
        ("whole", song[: len(song) * (share > 0)], n_whole),
        ("part", song[:n_part], len(song) - n_part),
    ):
        filler = np.resize(other, n)
        yield kind, music, np.concatenate([filler, music])
        yield kind, music, np.concatenate([music, filler])


Counts = dict[tuple[str, str], Counter[str]]  # (row, column) -> outcomes "own", "none", "part", "third"


def measure(songs: list[Path], model_name: str = "edge") -> Counts:
    """Count the outcomes of all mixtures, by kind and share and by sound, each before and after."""
    model = Model(model_name)
    mel, bundle, sounds, counts = MelSpectrogram(model.bundle.mel), model.bundle, other_sounds(), Counts()
    rules = {"before": genre_of_mean, "after": genre}
    for path in songs:
        song = load(path)[: round(SONG_S * RATE)]
        alone: dict[int, list[PatchResult]] = {}  # by length of the music
        for name, share in itertools.product(sounds, SHARES):
            for kind, music, samples in mixtures(song, sounds[name], share):
                results = patch_results(model, mel, samples)
                for part in (song, music):
                    if len(part) not in alone:
                        alone[len(part)] = patch_results(model, mel, part) if len(part) else []
                for column, rule in rules.items():
                    genres = [rule(bundle, alone[len(part)]) for part in (song, music)]
                    outcome = _outcome(rule(bundle, results), *genres)
                    for row in (f"{kind}, {share} % music", f"{kind}, {name}"):
                        counts.setdefault((row, column), Counter())[outcome] += 1
        print(path.name, file=sys.stderr)
    return counts


def _outcome(found: str | None, own: str | None, of_part: str | None) -> str:
    if found is None:
        return "none"
    return "own" if found == own else "part" if found == of_part else "third"


def table(counts: Counts) -> str:
    """Return the counts as a Markdown table."""
    names = ("own", "none", "part", "third")
    heads = [f"{name} {when}" for when in ("before", "now") for name in names]
    lines = [f"| mixtures | number | {' | '.join(heads)} |", "| --- |" + " --- |" * (1 + len(heads))]
    for row in sorted({row for row, _ in counts}, key=_row_order):
        before, after = counts[row, "before"], counts[row, "after"]
        cells = [str(column[name]) for column in (before, after) for name in names]
        lines.append(f"| {row} | {sum(after.values())} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _row_order(row: str) -> tuple[bool, str, int, str]:
    kind, _, what = row.partition(", ")
    is_share = what.endswith("% music")
    return (not is_share, kind, int(what.split()[0]) if is_share else 0, what)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path, nargs="+")
    parser.add_argument("--model", default="edge", help="name of an installed model, or a bundle's directory")
    parser.add_argument("--write", type=Path, help="page whose section `mixtures` is replaced (default: print)")
    arguments = parser.parse_args()
    page = split_page(arguments.write, "mixtures") if arguments.write else None
    text = f"{len(arguments.songs)} songs, first {SONG_S:.0f} s of each.\n\n" + table(
        measure(arguments.songs, model_name=arguments.model)
    )
    if page is None:
        print(text, end="")
    else:
        arguments.write.write_text(page[0] + text + page[2])


if __name__ == "__main__":
    main()
