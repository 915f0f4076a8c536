"""Compare the speed of a scan with that of decoding and resampling alone, in one and in more processes.

    python -m tools.library.measure_scan MUSIC_DIR --files 1000 --jobs 2

Writes songs of `--seconds` from MUSIC_DIR in six formats into a temporary folder, then times both kinds of work in the
scan's own worker processes, alternately. A time starts with the first result, so that the start of the processes, which
is the same for any number of files, does not count. m4a needs ffmpeg.
"""

import argparse
import functools
import itertools
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from genre_edge.audio.suffixes import is_audio_name
from genre_edge.errors import AudioError
from genre_edge.library.database import FileRow
from genre_edge.library.discovery import FoundFile
from genre_edge.library.pool import Pool
from genre_edge.library.worker import FileScanner, ScanSettings
from genre_edge.library.worker_process import Failure, Limits
from genre_edge.model.prediction import Model
from tools.library.decoder import Decoder

FORMATS: dict[str, dict[str, str]] = {
    "wav": {},
    "flac": {},
    "mp3": {},
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "m4a": {},
}
_RATE = 48000  # one that Opus has
_LIMITS = Limits(600, 1 << 30)


def write_songs(music: Path, folder: Path, n_files: int, seconds: float) -> list[FoundFile]:
    """Write `n_files` songs, in the formats by turns; the audio is that of the long files in `music`, by turns."""
    has_ffmpeg = shutil.which("ffmpeg") is not None
    formats = [name for name in FORMATS if name != "m4a" or has_ffmpeg]
    sources = _sources(music, seconds)
    written: dict[tuple[int, str], Path] = {}
    for number in range(n_files):
        name, source = formats[number % len(formats)], (number // len(formats)) % len(sources)
        path = folder / f"{number:04d}.{name}"
        if (source, name) in written:  # the same audio as another file, but a file of its own
            shutil.copyfile(written[source, name], path)
        else:
            written[source, name] = path
            _encode(sources[source], seconds, path)
    return [FoundFile(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())]


def _sources(music: Path, seconds: float, n: int = 40) -> list[Path]:
    found = []
    for path in sorted(music.rglob("*")):
        if is_audio_name(path.name) and path.stat().st_size > 1e6:
            try:
                info = soundfile.info(path)
            except soundfile.LibsndfileError:
                continue
            if info.duration >= seconds and info.samplerate in (44100, 48000) and info.channels == 2:
                found.append(path)
    if not found:
        raise SystemExit(f"{music}: no stereo song of {seconds:g} s at 44.1 or 48 kHz")
    return found[:: max(1, len(found) // n)][:n]


def _encode(source: Path, seconds: float, path: Path) -> None:
    with soundfile.SoundFile(source) as file:
        samples = file.read(int(seconds * file.samplerate), dtype="float32", always_2d=True)
        rate = file.samplerate
    if path.suffix == ".opus":
        rate = _RATE  # libsndfile does not resample; the song is a little faster then
    if path.suffix != ".m4a":
        with soundfile.SoundFile(path, "w", rate, samples.shape[1], **FORMATS[path.suffix[1:]]) as file:
            for start in range(0, len(samples), rate):  # libsndfile 1.2 crashes if it gets minutes of Vorbis at once
                file.write(np.clip(samples[start : start + rate], -1, 1))
        return
    wav = path.with_suffix(".source.wav")
    soundfile.write(wav, samples, rate)
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(wav), "-c:a", "aac", "-b:a", "192k", str(path)]
    subprocess.run(command, check=True)
    wav.unlink()


def rate(files: list[FoundFile], start: Callable[[], Callable[[FoundFile], object]], n_workers: int) -> float:
    """Return files a second, from the first result to the last; there must be at least two files.

    Raises:
        AudioError: a file fails.
    """
    first_s, n_done = 0.0, 0
    with Pool[FoundFile, object](start, n_workers, _LIMITS) as pool:
        for file, result in pool.run(files):
            if reason := _failure(result):
                raise AudioError(f"{file.path}: {reason}")
            first_s = first_s or time.monotonic()
            n_done += 1
    return (n_done - 1) / (time.monotonic() - first_s)


def _failure(result: object) -> str | None:
    """Return why a file has no result: its worker process has ended, or its row says so."""
    if isinstance(result, Failure):
        return result.reason
    if isinstance(result, tuple):  # of a scan: the row and its segments
        row: FileRow = result[0]
        return row.error
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the songs")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--model", default="edge")
    parser.add_argument("--coverage", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.files < 2 * len(FORMATS):
        parser.error(f"--files must be at least {2 * len(FORMATS)}: two files of each format")
    bundle = Model(arguments.model).bundle
    settings = ScanSettings(arguments.model, bundle.name, bundle.sha256, arguments.coverage)
    work: dict[str, Callable[[], Callable[[FoundFile], object]]] = {
        "decode and resample": functools.partial(Decoder, bundle.mel.sr),
        "scan": functools.partial(FileScanner, settings),
    }
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        files = write_songs(arguments.music, Path(folder), arguments.files, arguments.seconds)
        suffixes = sorted({Path(file.path).suffix for file in files})
        print(f"{len(files)} files of {arguments.seconds:g} s: {' '.join(suffixes)}", flush=True)
        groups = {"all": files, **{s: [f for f in files if f.path.endswith(s)] for s in suffixes}}
        best: dict[tuple[str, int], float] = {}
        for _, n_workers, name in itertools.product(range(arguments.rounds), (1, arguments.jobs), work):
            best[name, n_workers] = max(best.get((name, n_workers), 0.0), rate(files, work[name], n_workers))
        for n_workers in (1, arguments.jobs):
            scan, decode = best["scan", n_workers], best["decode and resample", n_workers]
            print(f"{n_workers} workers: scan {scan:.2f} files/s, decode {decode:.2f} files/s: {scan / decode:.3f}")
        print(f"{arguments.jobs} workers: {best['scan', arguments.jobs] / best['scan', 1]:.2f} times as fast as one")
        for suffix in suffixes:
            scan, decode = (
                rate(groups[suffix], work[name], arguments.jobs) for name in ("scan", "decode and resample")
            )
            print(f"{suffix}: scan {scan:.2f} files/s, decode {decode:.2f} files/s: {scan / decode:.3f}")


if __name__ == "__main__":
    main()
