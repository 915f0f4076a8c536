"""Synthetic electronic songs: random patterns of recorded drums and loops, with synthesised bass, chords and leads.

House, techno, trance, drum and bass, dubstep, trap, hip-hop, dub, disco, ambient. Free collections hold little of
these, and music rendered from MIDI sounds like a video game to a network that knows many kinds of music.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr
from scipy import signal
from soundfile import read

from tools.training.sounds.electronic_recipes import RECIPES, Recipe

RATE = 32000
LENGTH_S = 64.0
Samples = np.ndarray


KICKS = "bd_ drum_heavy_kick"
SNARES = "sn_ drum_snare elec_hi_snare elec_filt_snare perc_snap"
HATS = "drum_cymbal_closed drum_cymbal_pedal elec_tick elec_blip elec_twip"
PROGRESSIONS = ((0, 0, 0, 0), (0, -4, 3, -2), (0, -2, -4, -2), (0, 0, 5, 3), (0, 5, 0, -5), (0, 3, -2, 5))
CHORDS = (0, 3, 7), (0, 3, 7, 10), (0, 4, 7, 11)  # minor, minor and major seventh, in semitones


def songs(samples: Path, rng: np.random.Generator, variants: int) -> Iterator[tuple[str, Samples]]:
    """Yield names and mono samples at RATE of random songs, `variants` of each style.

    `samples` is a folder of drums and loops named like those of Sonic Pi.
    """
    for name, recipe in RECIPES.items():
        for i in range(variants):
            yield f"{name}-{i:02d}", song(recipe, samples, rng)


def song(recipe: Recipe, samples: Path, rng: np.random.Generator) -> Samples:
    """Return a random song of one style."""
    grid = _Grid(recipe, rng)
    kicks = grid.hits(recipe.kick)
    drums = grid.place(kicks, [_sample(samples, KICKS, rng)], 1.0)
    drums += grid.place(grid.hits(recipe.snare, 0.9), [_sample(samples, SNARES, rng)], 0.6)
    drums += grid.place(grid.hits(recipe.hat, 0.8), [_sample(samples, HATS, rng)[: RATE // 4]], 0.35)
    music = _sweep(grid.bass() + grid.chords() + grid.leads(), rng)
    music *= _duck(len(music), kicks * grid.step, grid.step, recipe.pump)
    mix = drums + music + 0.5 * _loops(recipe, samples, len(music), grid.step, rng)
    return np.asarray(np.tanh(1.2 * mix / (3 * mix.std() + 1e-6)), dtype=np.float32)[: grid.steps * grid.step]


class _Grid:
    """The sixteenth notes of one song, their harmony, and the tracks that play on them."""

    def __init__(self, recipe: Recipe, rng: np.random.Generator) -> None:
        self.recipe, self.rng = recipe, rng
        self.step = round(60 / rng.uniform(*recipe.tempo) / 4 * RATE)
        self.bars = max(8, round(LENGTH_S * RATE / self.step / 16 / 8) * 8)
        self.steps = self.bars * 16
        self.root = int(rng.integers(33, 45))
        changes = np.array(PROGRESSIONS[rng.integers(len(PROGRESSIONS))])
        self.degree = changes[np.arange(self.steps) // 16 // int(rng.choice([1, 2])) % 4]
        self.chord = CHORDS[rng.integers(len(CHORDS))]

    def hits(self, pattern: str, share: float = 1.0) -> np.ndarray:
        """Return the steps of one of a pattern's alternatives, in a share of the song's sections."""
        chosen = str(self.rng.choice(pattern.split())) if pattern else "." * 16
        on = np.tile([c == "x" for c in chosen], self.bars) & (self.rng.random(self.steps) < 0.96)
        return np.flatnonzero(on & _sections(self.rng, self.bars, share))

    def place(self, at: np.ndarray, sounds: list[Samples], level: float) -> Samples:
        """Return a track with the sounds, in turn, at the given steps."""
        y = np.zeros(self.steps * self.step + 4 * RATE, dtype=np.float32)
        for n, i in enumerate(at):
            first = i * self.step + (round(self.recipe.swing * self.step) if i % 2 else 0)
            sound = sounds[n % len(sounds)][: len(y) - first]
            y[first : first + len(sound)] += level * self.rng.uniform(0.8, 1) * sound
        return y

    def bass(self) -> Samples:
        length = self.step * int(self.rng.choice([1, 2, 3])) / RATE
        at = self.hits(self.recipe.bass, 0.9)
        notes = [_bass(self.recipe.bass_kind, self.root + self.degree[i], length, self.rng) for i in at]
        return self.place(at, notes, 0.55)

    def chords(self) -> Samples:
        at = self.hits(self.recipe.chords, 0.7)
        held = self.step * (15 if len(at) <= self.bars else int(self.rng.choice([1, 2]))) / RATE
        roots = self.root + 24 + self.degree[at]
        track = self.place(at, [_chord([root + tone for tone in self.chord], held, self.rng) for root in roots], 0.35)
        return _echo(track, 3 * self.step, self.recipe.echo)

    def leads(self) -> Samples:
        at = self.hits(self.recipe.lead, 0.6)
        notes = [self.root + 36 + self.degree[i] + int(self.rng.choice((*self.chord, 12))) for i in at]
        tones = [_tone(n, 2 * self.step / RATE, "saw", self.rng.uniform(1500, 6000), self.rng) for n in notes]
        return _echo(self.place(at, tones, 0.25), 3 * self.step, max(0.3, self.recipe.echo))


def _sections(rng: np.random.Generator, bars: int, share: float) -> np.ndarray:
    """Return for each step whether a track plays: sections of eight bars, at least one of them."""
    on = rng.random(-(-bars // 8)) < share
    on[rng.integers(len(on))] = True
    return np.repeat(on, 128)[: bars * 16]


def _sample(folder: Path, beginnings: str, rng: np.random.Generator) -> Samples:
    found = sorted(path for name in beginnings.split() for path in folder.glob(f"{name}*"))
    y, rate = read(found[rng.integers(len(found))], dtype="float32", always_2d=True)
    mono: Samples = soxr.resample(y.mean(axis=1), rate, RATE)
    return mono / max(1e-3, float(np.abs(mono).max()))


def _loops(recipe: Recipe, samples: Path, length: int, step: int, rng: np.random.Generator) -> Samples:
    """Return a loop, stretched to whole bars by resampling and repeated, in half of its sections."""
    if not recipe.loops or rng.random() < 0.3:
        return np.zeros(length, dtype=np.float32)
    loop = _sample(samples, recipe.loops, rng)
    bar = 16 * step
    target = bar * max(1, 2 ** round(np.log2(len(loop) / bar))) if len(loop) > bar / 2 else bar // 2
    stretched = np.interp(np.linspace(0, len(loop) - 1, target), np.arange(len(loop)), loop)
    on = np.repeat(_sections(rng, length // bar + 8, 0.6), step)[:length]
    return np.asarray(np.resize(stretched, length) * np.pad(on, (0, length - len(on))), dtype=np.float32)


def _tone(note: float, seconds: float, kind: str, cutoff: float, rng: np.random.Generator) -> Samples:
    t = np.arange(int(seconds * RATE)) / RATE
    f = 440 * 2 ** ((note - 69) / 12)
    if kind == "sine":
        y = np.sin(2 * np.pi * f * t)
    else:
        detuned = f * (1 + rng.uniform(-0.008, 0.008, 5))[:, None]
        y = (2 * ((detuned * t + rng.random((5, 1))) % 1) - 1).mean(axis=0)
        y = signal.sosfilt(signal.butter(2, min(cutoff, 0.45 * RATE), fs=RATE, output="sos"), y)
    fade = np.minimum(1, np.minimum(t / 0.004, (seconds - t) / 0.02))
    return np.asarray(y * fade, dtype=np.float32)


def _bass(kind: str, note: int, seconds: float, rng: np.random.Generator) -> Samples:
    if kind == "sub":
        return np.asarray(np.tanh(2 * _tone(note - 5, 2 * seconds, "sine", 0, rng)))
    y = _tone(note, 2 * seconds if kind == "wobble" else seconds, "saw", rng.uniform(300, 2500), rng)
    t = np.arange(len(y)) / RATE
    if kind == "wobble":
        y = y * (0.5 + 0.5 * np.sin(2 * np.pi * rng.choice([2, 3, 4, 6, 8]) * t))
    if kind == "acid":
        peak, decay = rng.uniform(400, 2500), np.exp(-8 * t)
        y = y * 0.4 + decay * signal.sosfilt(
            signal.butter(1, [peak, 1.3 * peak], "bandpass", fs=RATE, output="sos"), 4 * y
        )
    return np.asarray(np.tanh(3 * y), dtype=np.float32)


def _chord(notes: list[int], seconds: float, rng: np.random.Generator) -> Samples:
    cutoff = rng.uniform(600, 4000)
    return np.asarray(sum(_tone(note, seconds, "saw", cutoff, rng) for note in notes))


def _echo(y: Samples, delay: int, feedback: float) -> Samples:
    out = y.copy()
    for n in range(1, 5):
        if n * delay < len(y):
            out[n * delay :] += feedback**n * y[: len(y) - n * delay]
    return out


def _sweep(y: Samples, rng: np.random.Generator) -> Samples:
    """Move between a dull and a bright version of the music, as a filter sweep does."""
    dull = signal.sosfilt(signal.butter(2, rng.uniform(400, 1500), fs=RATE, output="sos"), y)
    period = rng.uniform(8, 40) * RATE
    bright = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(len(y)) / period)
    return np.asarray(bright * y + (1 - bright) * dull, dtype=np.float32)


def _duck(length: int, kicks: np.ndarray, step: int, depth: float) -> Samples:
    gain = np.ones(length, dtype=np.float32)
    dip = 1 - depth * np.exp(-np.arange(4 * step) / step / 1.2)
    for first in kicks:
        gain[first : first + len(dip)] = dip[: length - first]
    return gain
