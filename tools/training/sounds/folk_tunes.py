"""Folk tunes in ABC notation as MIDI files: one melody, played several times by a random instrument."""

import re
import subprocess
from pathlib import Path

import numpy as np

COUNT, REPEATS = 120, 3
# General MIDI: accordion, harmonica, guitars, violin, clarinet, flutes, sitar, banjo, shamisen, koto, bagpipe, fiddle
PROGRAMS = (21, 22, 24, 25, 40, 71, 72, 73, 74, 75, 79, 104, 105, 106, 107, 109, 110)


def tunes(folder: Path) -> list[str]:
    """Return the tunes of all ABC files below a folder, in a fixed order."""
    texts = (path.read_text(errors="replace") for path in sorted(folder.rglob("*.abc")))
    blocks = (block for text in texts for block in re.split(r"^(?=X:)", text, flags=re.MULTILINE))
    return [block for block in blocks if block.startswith("X:") and re.search(r"^K:.*\n.", block, re.MULTILINE)]


def arrange(tune: str, program: int) -> str:
    """Return a tune that is played REPEATS times by one General MIDI program, without lyrics and comments."""
    lines = [line for line in tune.splitlines() if line.strip() and not re.match(r"%|w:|W:|I:", line)]
    key = next(i for i, line in enumerate(lines) if line.startswith("K:"))
    return "\n".join([*lines[: key + 1], f"%%MIDI program {program}", *lines[key + 1 :] * REPEATS]) + "\n"


def write_midi(folder: Path, rng: np.random.Generator, out: Path) -> None:
    """Write COUNT random tunes of the ABC files below a folder as MIDI files to `out`."""
    out.mkdir(parents=True)
    found = tunes(folder)
    for i, index in enumerate(rng.choice(len(found), min(COUNT, len(found)), replace=False)):
        text = arrange(found[index], int(rng.choice(PROGRAMS)))
        source = out / f"{i:03d}.abc"
        source.write_text(text)
        subprocess.run(
            ["abc2midi", source, "-o", source.with_suffix(".mid"), "-silent"], capture_output=True, check=False
        )
        source.unlink()
