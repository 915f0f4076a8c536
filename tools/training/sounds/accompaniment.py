"""Synthetic songs in the styles of MMA, the Musical MIDI Accompaniment generator: random chords, form and melody.

MMA's library holds about 270 styles, among them many that other free sources lack: house, techno, trance, drum and
bass, hip-hop, reggae, ska, salsa, samba, country, bluegrass, gospel, swing.
"""

import re
import subprocess
from pathlib import Path

import numpy as np

LIBRARY = Path("/usr/share/mma/lib")  # of Debian's package mma
LENGTH_S = 75.0
GROOVE = re.compile(r"^DefGroove\s+(\S+)", re.MULTILINE)
PARTIAL = re.compile(r"intro|end|fill|count|F[A-D]$|E$|vamp|tag", re.IGNORECASE)  # grooves that are no main pattern
SKIPPED = {"metronome", "none", "count", "ending", "intro", "mide"}
DRUMS_ONLY = "zoom"  # folder of styles without bass and chords
# Styles -> beats a minute and chords; the first that matches the style's name counts, the last is for all others.
STYLES: tuple[tuple[str, tuple[int, int], tuple[str, ...]], ...] = (
    ("dnb|drum", (165, 178), ("Am Am F G", "Dm Dm Am Am", "Em7 C Em7 D")),
    (
        "house|techno|trance|rave|dance",
        (120, 142),
        ("Am F C G", "Am Am Am Am", "Dm Bb F C", "Em C Am B7", "Cm7 Cm7 Fm7 Fm7"),
    ),
    (
        "hip|trip|rnb|r.b|mellowrb|modernrb",
        (76, 98),
        ("Am7 Dm7", "Cm7 Abmaj7 Fm7 G7", "Em7 Em7 Am7 B7", "Fmaj7 Em7 Dm7 Cmaj7"),
    ),
    ("ambient|thr", (64, 96), ("Am7 Fmaj7", "Cmaj7 Cmaj7 Fmaj7 Fmaj7", "Dm7 Bbmaj7 Am7 Am7")),
    ("reggae|regg|ska|calypso", (74, 150), ("C F G F", "Am G", "G C D C", "Em D", "C Am F G")),
    (
        "blues|boogie|boggie|68swing",
        (88, 150),
        ("C7 C7 C7 C7 F7 F7 C7 C7 G7 F7 C7 G7", "E7 A7 E7 E7 A7 A7 E7 E7 B7 A7 E7 B7"),
    ),
    (
        "slow.*jazz|nitejazz|mellowjazz|evans|slowswing",
        (66, 110),
        ("Dm7 G7 Cmaj7 A7", "Cm7 F7 Bbmaj7 Ebmaj7 Am7b5 D7 Gm Gm"),
    ),
    (
        "jazz|swing|bop|band|charleston|dixie|ragtime|basie|foxtrot|quickstep",
        (130, 220),
        (
            "Dm7 G7 Cmaj7 A7",
            "Cm7 F7 Bbmaj7 Ebmaj7 Am7b5 D7 Gm Gm",
            "C6 A7 D7 G7",
            "F7 Bb7 F7 F7 Bb7 Bb7 F7 D7 Gm7 C7 F7 C7",
        ),
    ),
    (
        "salsa|mambo|merengue|cha|rhumba|samba|bossa|son|cuban|latn|latin|bolero|beguine|tango|quando",
        (96, 190),
        ("Am Dm E7 Am", "Dm7 G7 Cmaj7 Cmaj7", "Gm C7 Fmaj7 D7", "Am G F E7", "C F G7 F"),
    ),
    (
        "country|cntry|western|bluegrass|hillcountry|zydeco|folk|polka|cowboy",
        (90, 190),
        ("G C G D7", "C F C G7", "D D A7 D", "A A D E7", "G G C C G D7 G G"),
    ),
    ("spiritual|hymn|gospel", (64, 100), ("C F C G7", "F Bb F C7 F F7 Bb C7", "G C G Em Am D7 G G")),
    ("metal|mtl|punk|thr|hrk|heavy", (120, 190), ("E5 E5 G5 A5", "E5 C5 D5 E5", "A5 F5 G5 A5", "E5 Bb5 A5 G5")),
    ("ballad|bald|serenade|lullaby|slow", (60, 84), ("C G Am F", "C Em F G", "Am F C G", "F G Em Am Dm G C C")),
    ("rock|twist|beat|metal", (110, 170), ("A D E D", "E G A E", "C Am F G", "Am G F G", "G D C G")),
    ("", (92, 138), ("C G Am F", "Am F C G", "C Am Dm G7", "F G Em Am", "C F G F", "Dm7 G7 Cmaj7 Am7")),
)
LEADS = (0, 4, 11, 21, 24, 25, 26, 27, 30, 40, 52, 56, 59, 65, 66, 71, 73, 80, 81, 87)  # General MIDI programs
# Rhythms of the melody; "z" is silence.
RHYTHMS = (
    "{1 4 90; 2 8 80; 2.5 8 80; 3 4 90}",
    "{1 8 90; 1.5 8 80; 2.5 8 90; 3 8 80; 3.5 8 85}",
    "{1 2 90; 3 4 85}",
    "z",
)
DIRECTIONS = ("1 0 -1 2 1 -2", "r", "1 1 1 -1 -1 -1", "0 2 -1 -1")


def styles(library: Path) -> list[Path]:
    """Return the style files of MMA's library, sorted."""
    return sorted(path for path in library.glob("*/*.mma") if path.stem not in SKIPPED)


def write_song(style: Path, rng: np.random.Generator) -> str:
    """Return the MMA source of a random song of about LENGTH_S in one style."""
    grooves = list(dict.fromkeys(GROOVE.findall(style.read_text(errors="replace"))))
    main = [name for name in grooves if not PARTIAL.search(name)] or grooves
    chosen = [main[i] for i in sorted(rng.choice(len(main), min(4, len(main)), replace=False))]
    name = f"{style.parent.name} {style.stem}".lower()
    (low, high), progressions = next((tempo, chords) for key, tempo, chords in STYLES if re.search(key, name))
    tempo = int(rng.integers(low, high + 1))
    chords = str(rng.choice(progressions)).split()
    beats = 3 if "waltz" in name or "34" in name else 4
    bars = max(16, round(LENGTH_S * tempo / 60 / beats))
    lines = [f"Tempo {tempo}", f"Transpose {rng.integers(-5, 7)}"]
    for first in range(0, bars, 8):
        lines += [f"Groove {chosen[first // 8 % len(chosen)]}"]
        if style.parent.name == DRUMS_ONLY:
            lines += ["Bass Voice 33", f"Bass Sequence {{1 {beats} 1 90}}", f"Bass Sequence {_bass(rng, beats)}"]
            lines += [
                f"Chord Voice {rng.choice([16, 25, 27, 29, 50, 62, 90])}",
                f"Chord Sequence {{1 {rng.choice([1, 2])} 70}}",
            ]
        rhythm = str(rng.choice(RHYTHMS))
        lines += [f"Aria Voice {rng.choice(LEADS)}", f"Aria Octave {rng.integers(4, 7)}", f"Aria Sequence {rhythm}"]
        lines += [f"Aria Direction {rng.choice(DIRECTIONS)}"]
        lines += [f"{bar + 1} {chords[bar % len(chords)]}" for bar in range(first, min(first + 8, bars))]
    return "\n".join(lines) + "\n"


def _bass(rng: np.random.Generator, beats: int) -> str:
    hits = [f"{beat}{half} 8 {rng.choice([1, 1, 5, 3])} 90" for beat in range(1, beats + 1) for half in ("", ".5")]
    kept = [hit for i, hit in enumerate(hits) if i == 0 or rng.random() < 0.5]
    return "{" + "; ".join(kept) + "}"


def write_midi(rng: np.random.Generator, out: Path, library: Path = LIBRARY) -> None:
    """Write one random song for each style as a MIDI file to `out`; styles that MMA rejects are skipped."""
    out.mkdir(parents=True)
    for style in styles(library):
        source = out / f"{style.parent.name}-{style.stem}.mma"
        source.write_text(write_song(style, rng))
        subprocess.run(["mma", source, "-f", source.with_suffix(".mid")], capture_output=True, check=False)
        source.unlink()
