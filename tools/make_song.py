"""Synthesise the demonstration song, demo/song.ogg.

Composer: Christian Petzold (1677-1733).
Work: Minuet in G major, BWV Anh. 114, from the 1725 Notebook for Anna Magdalena Bach; its first
sixteen bars, with a viola part added to fill in the harmony.  It is in the public domain.

The audio is entirely synthesised by this program (a piano, bowed strings and reverberation); it
contains no recordings.  The song has the same licence as the project.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf

from genre_edge.system.atomic_write import write_atomically

Rng = np.random.Generator

SAMPLE_RATE = 22050
SEED = 1725
BEATS_PER_MINUTE = 103.0
BARS, BEATS_PER_BAR = 16, 3
LEAD_IN = 0.15  # seconds of silence before the first note
TAIL = 2.2  # seconds after the last bar, for the decay of its chord
PEAK = 0.89

# A note is NAME[:BEATS], one beat (a quarter note) by default; + joins the notes of a chord.
# The last notes extend beyond their bar, like a fermata.
MELODY = """
  D5 G4:.5 A4:.5 B4:.5 C5:.5 | D5 G4 G4 | E5 C5:.5 D5:.5 E5:.5 F#5:.5 | G5 G4 G4 |
  C5 D5:.5 C5:.5 B4:.5 A4:.5 | B4 C5:.5 B4:.5 A4:.5 G4:.5 | F#4 G4:.5 A4:.5 B4:.5 G4:.5 | B4 A4:2 |
  D5 G4:.5 A4:.5 B4:.5 C5:.5 | D5 G4 G4 | E5 C5:.5 D5:.5 E5:.5 F#5:.5 | G5 G4 G4 |
  C5 D5:.5 C5:.5 B4:.5 A4:.5 | B4 C5:.5 B4:.5 A4:.5 G4:.5 | A4 B4:.5 A4:.5 G4:.5 F#4:.5 | G4:5 |
"""
BASS = """
  G3:2 A3 | B3:3 | C4:3 | B3:3 | A3:3 | G3:3 | D4 B3 G3 | D4 D3:.5 C4:.5 B3:.5 A3:.5 |
  B3:2 A3 | G3 B3 G3 | C4:3 | B3 C4:.5 B3:.5 A3:.5 G3:.5 |
  A3:2 F#3 | G3:2 B3 | C4 D4 D3 | G3:2 G2:3 |
"""
VIOLA = """
  B3+D4:3 | D4+G4:3 | E4+G4:3 | D4+G4:3 | C4+E4:3 | B3+D4:3 | D4:3 | F#4:3 |
  D4+G4:3 | D4:3 | E4+G4:3 | D4:3 | E4:2 D4 | D4:3 | E4 D4:2 | B3+D4:5 |
"""
SEMITONES = {"C": 0, "D": 2, "E": 4, "F#": 6, "G": 7, "A": 9, "B": 11}


class Note(NamedTuple):
    """A note of a score: start and length in beats, frequency in Hz."""

    start: float
    beats: float
    frequency: float


def parse(score: str) -> list[Note]:
    """Return the notes of one part, in order."""
    notes, start = [], 0.0
    for token in score.replace("|", " ").split():
        names, _, length = token.partition(":")
        beats = float(length or 1)
        for name in names.split("+"):
            midi = 12 * (int(name[-1]) + 1) + SEMITONES[name[:-1]]
            notes.append(Note(start, beats, 440.0 * 2 ** ((midi - 69) / 12)))
        start += beats
    return notes


def seconds_at(beat: float) -> float:
    """Return the time of a beat: the tempo slows slightly at phrase ends, and more towards the last bar."""
    grid = np.arange(0.0, 64.0, 0.25)
    phrase = grid % 24 / 24  # a phrase is eight bars
    pace = 1 + 0.10 * phrase**6 + 0.30 * np.clip((grid - 42) / 6, 0, 1) ** 2
    clock = np.concatenate([[0.0], np.cumsum(pace[:-1] * 0.25 * 60 / BEATS_PER_MINUTE)])
    return LEAD_IN + float(np.interp(beat, grid, clock))


def loudness(beat: float) -> float:
    """Return the velocity, 0..1: accents on downbeats, a crescendo and diminuendo in each phrase."""
    accent = 0.10 if beat % BEATS_PER_BAR == 0 else 0.03 if beat % 1 == 0 else 0.0
    return 0.55 + accent + 0.18 * float(np.sin(np.pi * (beat % 24) / 24))


def piano(frequency: float, seconds: float, velocity: float, rng: Rng) -> np.ndarray:
    """Return a struck string: inharmonic partials, of which high ones decay faster, and hammer noise."""
    t = np.arange(int((seconds + 0.6) * SAMPLE_RATE)) / SAMPLE_RATE
    k = np.arange(1, 40)
    stiffness = 2.5e-4 * (frequency / 262) ** 1.2
    partials = k * frequency * np.sqrt(1 + stiffness * k**2)
    k, partials = k[partials < 9500], partials[partials < 9500]
    level = np.abs(np.sin(np.pi * k / 8.3)) / k**1.2 * np.exp(-partials / (900 + 2600 * velocity))
    decay = 2.4 * np.sqrt(196 / frequency) / (1 + 0.22 * (k - 1))
    sound = np.zeros_like(t)
    for f, a, tau in zip(partials, level, decay, strict=True):
        # Two slightly detuned strings: they beat, and decay fast at first, then slowly.
        detune, phase = rng.uniform(0.1, 0.35), rng.random()
        ring = sum(np.sin(2 * np.pi * ((f + d) * t + phase)) for d in (-detune, detune))
        sound += a * ring * (0.7 * np.exp(-t / (0.4 * tau)) + 0.3 * np.exp(-t / (1.6 * tau)))
    hammer = np.convolve(rng.standard_normal(t.size), np.hanning(24) / 12, "same")
    sound += 0.05 * velocity * hammer * np.exp(-t / 0.012)
    damper = np.exp(-np.maximum(t - seconds, 0) / 0.12)
    return np.asarray(velocity**1.5 * sound * damper * (1 - np.exp(-t / 0.002)) * envelope(t.size, 0.0, 0.05))


def strings(frequency: float, seconds: float, velocity: float, rng: Rng) -> np.ndarray:
    """Return three bowed strings, each with its own tuning and vibrato, filtered by a body resonance."""
    t = np.arange(int((seconds + 0.35) * SAMPLE_RATE)) / SAMPLE_RATE
    k = np.arange(1, int(min(24, 7000 / frequency)) + 1)
    body = 1 / (1 + (k * frequency / 1500) ** 2)
    body *= 1 + 0.7 * np.exp(-4 * np.log2(k * frequency / 450) ** 2)
    sound = np.zeros_like(t)
    for _ in range(3):
        rate, depth = rng.uniform(5.0, 5.8), rng.uniform(4, 8) / 1200 * np.log(2)
        vibrato = depth * np.minimum(t / 0.6, 1) * np.sin(2 * np.pi * (rate * t + rng.random()))
        pitch = frequency * 2 ** (rng.normal(0, 3) / 1200) * (1 + vibrato)
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        for n, a in zip(k, body / k, strict=True):
            sound += a * np.sin(n * phase + 2 * np.pi * rng.random())
    bow = np.convolve(rng.standard_normal(t.size), np.hanning(12) / 6, "same")
    return np.asarray(velocity * (sound / 3 + 0.01 * bow) * envelope(t.size, 0.14, 0.4))


def envelope(size: int, attack: float, release: float) -> np.ndarray:
    """Return a gain envelope with raised-cosine attack and release, both in seconds."""
    n = np.arange(size) / SAMPLE_RATE
    edges = np.minimum(n / max(attack, 1e-9), (n[-1] - n) / max(release, 1e-9))
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(edges, 0, 1)))


def reverb(dry: np.ndarray, seconds: float = 1.7) -> np.ndarray:
    """Return the output of a feedback delay network: eight damped delay lines mixed by a Householder matrix."""
    delays = np.array([809, 907, 1009, 1117, 1229, 1361, 1481, 1613])  # primes, in samples
    gains = 10 ** (-3 * delays[:, None] / SAMPLE_RATE / seconds)  # 60 dB down after `seconds`
    each, mix = np.arange(8)[:, None], np.eye(8) - 2 / 8
    history = delays.max() + 1
    lines = np.zeros((8, history + dry.size))
    wet = np.zeros(dry.size)
    block = int(delays.min())  # feedback from within a block arrives after it
    for start in range(0, dry.size, block):
        now = np.arange(start, min(start + block, dry.size))
        late = history + now - delays[:, None]
        taps = gains * (0.75 * lines[each, late] + 0.25 * lines[each, late - 1])
        wet[now] = np.array([1, -1] * 4) @ taps
        lines[:, history + now] = dry[now] + mix @ taps
    return wet


def synthesise() -> np.ndarray:
    """Return the whole piece, mono float32 samples at SAMPLE_RATE. Deterministic."""
    rng = np.random.default_rng(SEED)
    song = np.zeros(int((seconds_at(BARS * BEATS_PER_BAR) + TAIL) * SAMPLE_RATE))
    parts = [
        (piano, MELODY, 1.0, 1.0),
        (piano, BASS, 0.62, 1.0),
        (strings, BASS, 0.20, 0.5),  # a cello doubles the bass an octave below
        (strings, VIOLA, 0.13, 1.0),
    ]
    for voice, score, gain, transpose in parts:
        for note in parse(score):
            start = seconds_at(note.start) + float(np.clip(rng.normal(0, 0.007), -0.02, 0.02))
            seconds = seconds_at(note.start + note.beats) - seconds_at(note.start)
            velocity = loudness(note.start) * float(np.clip(rng.normal(1, 0.05), 0.85, 1.15))
            sound = gain * voice(note.frequency * transpose, seconds, velocity, rng)
            place = song[int(start * SAMPLE_RATE) :][: sound.size]
            place += sound[: place.size]
    song += 0.16 * reverb(song)
    song = (song - song.mean()) * envelope(song.size, 0.05, 1.2)
    return np.asarray((song * (PEAK / np.abs(song).max())).astype(np.float32))


def write_song(path: Path, song: np.ndarray) -> None:
    """Write Ogg Vorbis atomically."""
    content = io.BytesIO()
    with sf.SoundFile(content, "w", SAMPLE_RATE, 1, "VORBIS", format="OGG") as ogg:
        ogg.title = "Minuet in G major, BWV Anh. 114 (synthesised)"
        ogg.artist = "Christian Petzold"
        for start in range(0, song.size, SAMPLE_RATE):  # long writes can overflow libvorbis' stack
            ogg.write(song[start : start + SAMPLE_RATE])
    write_atomically(path, content.getvalue())


def main() -> None:
    """Synthesise and write the song."""
    parser = argparse.ArgumentParser(description="Synthesise the demonstration song.")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo/song.ogg"), help="file to write (Ogg Vorbis)")
    args = parser.parse_args()
    write_song(args.output, song := synthesise())
    print(f"{args.output}: {song.size / SAMPLE_RATE:.1f} s, {args.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
