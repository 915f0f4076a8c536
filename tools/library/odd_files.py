"""Scan a folder of bad and odd files: damaged audio of all formats, odd names, links, pipes, devices and bombs.

    python -m tools.library.odd_files --mutated 300

The scan must end within its limits of time and memory, leave no process, write a row for each regular file with the
suffix of audio, and one line for each that fails. A second scan must find nothing to do. Exit code 1 if not.
"""

import argparse
import os
import sqlite3
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.audio.suffixes import is_audio_name
from genre_edge.output.text import portable
from tools.audio_corpus.corpus import Corpus, encode_bases
from tools.audio_corpus.run_program import Run, run

BASE_S = 2.0  # of work on a file, in the time limit of the scan
START_MB = 400  # memory of a worker process before its first file, at most


@dataclass(frozen=True)
class Limits:
    """Limits that the scan is given: seconds and MB for each file."""

    time_s: int = 20
    memory_mb: int = 400


def write_mutated(folder: Path, n_files: int, seed: int) -> None:
    """Write an intact file in each format, and mutated ones with odd names."""
    folder.mkdir()
    bases = encode_bases(folder)
    for number, (format, content) in enumerate(bases.items()):
        (folder / f"intact {number}{format.suffix}").write_bytes(content)
    corpus = Corpus(seed, bases)
    for index in range(n_files):
        file = corpus.file(index, folder, "http://127.0.0.1:9/x.ts")
        (folder / os.fsdecode(file.name)).write_bytes(file.content)


def write_bombs(folder: Path, seconds: int) -> None:
    """Write small files that are or claim to be large."""
    folder.mkdir()
    second = np.zeros((48000, 2), dtype=np.float32)
    for name, options in (
        ("silence.flac", {"format": "FLAC"}),
        ("silence.ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("silence.opus", {"format": "OGG", "subtype": "OPUS"}),
    ):
        with soundfile.SoundFile(folder / name, "w", 48000, 2, **options) as file:
            for _ in range(seconds):
                file.write(second)
    for name in ("sparse.wav", "sparse.mp3", "sparse.flac", "sparse.m4a", "sparse.aiff", "sparse.ogg", "sparse.ts"):
        with (folder / name).open("wb") as sparse:
            sparse.truncate(2 << 30)
    header = (
        b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 2, 44100, 176400, 4, 16)
    )
    (folder / "claims.wav").write_bytes(header + b"data" + struct.pack("<I", 0xFFFFFFF0) + bytes(4000))
    (folder / "channels.wav").write_bytes(
        b"RIFF"
        + struct.pack("<I", 4000)
        + b"WAVEfmt "
        + struct.pack("<IHHIIHH", 16, 1, 65535, 44100, 0, 65535, 16)
        + b"data"
        + struct.pack("<I", 4000)
        + bytes(4000)
    )
    (folder / "sparse data.wav").write_bytes(header + b"data" + struct.pack("<I", 0x7FFFFFF0))
    os.truncate(folder / "sparse data.wav", 2 << 30)
    (folder / "tag.mp3").write_bytes(b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(4000))
    (folder / "tags.mp3").write_bytes(b"ID3\4\0\0\0\0\0\0" * 100_000)
    (folder / "atom.m4a").write_bytes(struct.pack(">I4s", 0x7FFFFFFF, b"ftyp") + b"M4A " + bytes(4000))
    (folder / "atoms.m4a").write_bytes(b"".join(struct.pack(">I4s", 8 * n, b"moov") for n in range(20_000, 1, -1)))
    (folder / "chunks.aiff").write_bytes(b"FORM\0\0\xff\xffAIFF" * 5000)
    (folder / "list.wav").write_bytes(b"RIFF\xff\xff\0\0WAVE" + b"LIST\0\0\0\0" * 100_000)
    (folder / "picture.flac").write_bytes(b"fLaC" + b"\x06\xff\xff\xff" + bytes(1 << 20))
    (folder / "pages.ogg").write_bytes(b"OggS" * 250_000)


def write_odd_entries(folder: Path, song: bytes) -> None:
    """Write entries that are no ordinary files or have odd names, beside a few songs."""
    folder.mkdir()
    names = ["a\nb.wav", "\t.wav", " .wav", "-.wav", "--db.wav", "%s.wav", "[a].wav", "*.wav", "'\".wav", "\u202e.wav"]
    for name in [*names, os.fsdecode(b"\xff\xfe.wav"), "x" * 251 + ".wav", "e\u0301.WAV", "\U0001f3b5.Wav"]:
        (folder / name).write_bytes(song)
    deep = folder
    for _ in range(40):
        deep /= "d" * 80
        deep.mkdir()
    (deep / "deep.wav").write_bytes(song)
    (folder / "folder.mp3").mkdir()
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to(folder.parent)
    (folder / "self.wav").symlink_to("self.wav")
    (folder / "broken.flac").symlink_to("nowhere.flac")
    (folder / "device.wav").symlink_to("/dev/zero")
    (folder / "terminal.mp3").symlink_to("/dev/tty")
    (folder / "again.wav").symlink_to("-.wav")
    os.link(folder / "-.wav", folder / "linked.wav")
    os.mkfifo(folder / "pipe.wav")
    os.mkfifo(folder / "pipe.mp3")
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("no audio\n" * 1000)
    (folder / "database.wav").write_bytes(b"SQLite format 3\0" + bytes(4000))


def regular_audio_files(folder: Path) -> Iterator[str]:
    """Yield the paths of the regular files with the suffix of audio, without those behind links."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118 (a path may be longer than the system accepts)
            if is_audio_name(name) and stat.S_ISREG(os.lstat(path).st_mode):
                yield path


def scan_faults(done: Run, folder: Path, database: Path, limits: Limits) -> list[str]:
    """Return what is wrong after a scan of a folder."""
    faults = []
    if done.code != 1:
        faults.append(f"exit code {done.code}: {done.err[-500:]!r}")
    if done.left_children:
        faults.append("a process is left")
    if max(done.memory_mb, done.children_mb) > limits.memory_mb + START_MB:
        faults.append(f"memory: {done.memory_mb:.0f} MB, of a process that it starts {done.children_mb:.0f} MB")
    lines = done.err.decode(errors="backslashreplace").splitlines()
    faults += [f"no message: {line[:200]}" for line in lines if not line.startswith("genre-edge: ")]
    connection = sqlite3.connect(database)
    rows = dict(connection.execute("SELECT path, error FROM files").fetchall())
    connection.close()
    seen: set[tuple[int, int]] = set()
    for path in regular_audio_files(folder):
        status = os.stat(path)  # noqa: PTH116
        if (status.st_dev, status.st_ino) not in seen and portable(path) not in rows:
            twins = [row for row in rows if row.endswith(("linked.wav", "-.wav"))]
            if not twins or status.st_nlink == 1:
                faults.append(f"no row: {path!r}")
        seen.add((status.st_dev, status.st_ino))
    n_errors = sum(error is not None for error in rows.values())
    if not n_errors:
        faults.append("no file fails")
    if len(lines) < n_errors:
        faults.append(f"{len(lines)} messages for {n_errors} failures")
    return faults


def check(folder: Path, database: Path, limits: Limits) -> tuple[list[str], str]:
    """Scan a folder twice; return what is wrong, and a summary."""
    n_files = len([*regular_audio_files(folder)])
    command = [sys.executable, "-m", "genre_edge", "scan", str(folder), "--db", str(database), "--model", "nano"]
    options = ["--jobs", "2", "--time-limit", str(limits.time_s), "--memory-limit", str(limits.memory_mb)]
    limit_s = 300 + n_files * BASE_S + 20 * limits.time_s
    first = run([*command, *options], limit_s, dict(os.environ))
    faults = scan_faults(first, folder, database, limits)
    second = run([*command, *options], limit_s, dict(os.environ))
    if not second.out.startswith(b"0 classified, 0 moved, 0 gone"):
        faults.append(f"second scan: {second.out!r}")
    peak_mb = max(first.memory_mb, first.children_mb)
    return faults, f"{n_files} files, {first.out.decode().strip()}, {first.seconds:.0f} s, {peak_mb:.0f} MB"


def write_all(folder: Path, n_mutated: int, bomb_s: int, seed: int) -> None:
    """Write all kinds of files into a folder."""
    folder.mkdir()
    write_mutated(folder / "mutated", n_mutated, seed)
    write_bombs(folder / "bombs", bomb_s)
    time_s = np.arange(2 * 22050) / 22050
    soundfile.write(folder / "song.wav", 0.3 * np.sin(2 * np.pi * 440 * time_s), 22050)
    write_odd_entries(folder / "odd", (folder / "song.wav").read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutated", type=int, default=300, help="number of mutated files")
    parser.add_argument("--bomb-s", type=int, default=3600, help="length of the silence in small files")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temporary:
        folder = Path(temporary) / "music"
        write_all(folder, arguments.mutated, arguments.bomb_s, arguments.seed)
        faults, summary = check(folder, Path(temporary) / "library.db", Limits())
    print(summary)
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
