"""`genre-edge scan`: what it writes, skips and says, and that it survives everything."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genre_edge import Classifier
from genre_edge.library.database import LibraryDatabase
from tests.conftest import TIMEOUT_S, Cli
from tests.helpers.audio import music
from tests.helpers.library import MODEL, SECONDS, rows
from tests.helpers.station import eventually


def test_rows_are_verdicts(cli: Cli, library: Path, tmp_path: Path) -> None:
    """Each row has what `classify` says about its file; the files are not touched."""
    before = {path: path.stat() for path in library.rglob("*.*")}
    done = cli("scan", library, "--db", tmp_path / "a.db", "--model", MODEL, "--jobs", 2, "--segments")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "8 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"
    classifier, found = Classifier(MODEL), rows(tmp_path / "a.db")
    assert len(found) == 8
    with LibraryDatabase(tmp_path / "a.db") as database:
        for path in before:
            verdict, row = classifier.classify(path, segments=True), found[f"{path.parent.name}/{path.name}"]
            assert (row.genre, row.confidence, row.reason) == (verdict.genre, verdict.confidence, verdict.reason)
            assert row.duration_s == pytest.approx(SECONDS, abs=0.1) and row.model_sha256 == classifier.bundle.sha256
            assert [(s.start_s, s.genre) for s in database.segments(row.path)] == [
                (s.start_s, s.genre) for s in verdict.segments
            ]
    assert all(
        (new := path.stat()).st_mtime_ns == old.st_mtime_ns and new.st_ino == old.st_ino for path, old in before.items()
    )


def test_second_scan_does_what_is_new(cli: Cli, library: Path, tmp_path: Path) -> None:
    """Unchanged files are skipped; new, changed, moved and missing ones are noticed."""
    command = ("scan", library, "--db", tmp_path / "a.db", "--model", MODEL)
    cli(*command)
    assert cli(*command).stdout == "0 classified, 0 moved, 0 gone, 8 unchanged, 0 failed\n"
    (library / "album 0" / "0.wav").rename(library / "moved.wav")
    (library / "album 1" / "1.flac").unlink()
    soundfile.write(library / "album 0" / "2.ogg", music(SECONDS, 22050, seed=50), 22050)
    soundfile.write(library / "new.wav", music(SECONDS, 22050, seed=51), 22050)
    os.utime(library / "album 1" / "3.mp3", (1, 1))
    dry = cli(*command, "--dry-run").stdout.splitlines()
    assert dry[-1] == "2 to classify, 1 moved, 1 gone, 5 unchanged"
    assert f"moved {library}/album 0/0.wav -> {library}/moved.wav" in dry and f"classify {library}/new.wav" in dry
    assert cli(*command).stdout == "2 classified, 1 moved, 1 gone, 5 unchanged, 0 failed\n"
    found = rows(tmp_path / "a.db")
    assert found["album 1/1.flac"].gone_at and "album 0/0.wav" not in found
    assert len(found) == 9 and found["album 1/3.mp3"].mtime_ns == 10**9
    assert cli(*command).stdout == "0 classified, 0 moved, 0 gone, 8 unchanged, 0 failed\n"


def test_segments_of_known_files(cli: Cli, library: Path, tmp_path: Path) -> None:
    """--segments classifies files without segments again, but neither silence, which has none, nor bad files."""
    soundfile.write(library / "silence.wav", np.zeros(22050), 22050)
    (library / "text.mp3").write_text("this is not music")
    command = ("scan", library, "--db", tmp_path / "a.db", "--model", MODEL)
    assert cli(*command).stdout == "10 classified, 0 moved, 0 gone, 0 unchanged, 1 failed\n"
    with LibraryDatabase(tmp_path / "a.db") as database:
        (model,) = database.models().values()
        bundle = Classifier(MODEL).bundle
        assert (model.model_sha256, model.threshold, model.style_threshold) == (
            *(bundle.sha256, bundle.threshold),
            bundle.style_threshold,
        )
    assert cli(*command, "--segments", "--dry-run").stdout.endswith("9 to classify, 0 moved, 0 gone, 1 unchanged\n")
    assert cli(*command, "--segments").stdout == "9 classified, 0 moved, 0 gone, 1 unchanged, 0 failed\n"
    for options in (("--segments",), ()):
        assert cli(*command, *options).stdout == "0 classified, 0 moved, 0 gone, 10 unchanged, 0 failed\n"
    with LibraryDatabase(tmp_path / "a.db") as database:
        n_segments = {Path(row.path).name: len(database.segments(row.path)) for row in database.rows()}
    assert n_segments["0.wav"] > 0 and n_segments["text.mp3"] == 0


def test_filters_do_not_declare_files_missing(cli: Cli, library: Path, tmp_path: Path) -> None:
    """--include, --exclude and --since choose files; those left out are not gone."""
    command = ("scan", library, "--db", tmp_path / "a.db", "--model", MODEL)
    assert cli(*command, "--include", "*.wav", "--include", "*.mp3").stdout.startswith("4 classified")
    assert cli(*command, "--exclude", "*/album 0/*").stdout.startswith("2 classified, 0 moved, 0 gone, 2 unchanged")
    assert cli(*command, "--since", "1h").stdout.startswith("2 classified, 0 moved, 0 gone, 6 unchanged")
    assert cli(*command, "--since", "2999-01-01").stdout.startswith("0 classified, 0 moved, 0 gone, 0 unchanged")
    for since in ("yesterday", "99999999999w", "9" * 5000 + "h"):
        bad = cli(*command, "--since", since)
        assert bad.returncode == 2 and bad.stderr == (
            f"genre-edge: --since must be a date, as 2026-01-31, or 12h, 7d or 2w, got {since!r}\n"
        )


def test_missing_files_beside_errors(cli: Cli, library: Path, tmp_path: Path) -> None:
    """A broken link does not hide a missing file; an empty or missing folder, as of an unmounted disk, marks none."""
    (library / "link.ogg").symlink_to("nowhere")
    command = ("scan", f"{library}/../music", "--db", tmp_path / "a.db", "--model", MODEL)
    cli(*command)
    (library / "album 0" / "0.wav").unlink()
    assert cli(*command).stdout == "0 classified, 0 moved, 1 gone, 7 unchanged, 1 failed\n"
    library.rename(tmp_path / "away")
    assert cli(*command).stdout == "0 classified, 0 moved, 0 gone, 0 unchanged, 1 failed\n"
    library.mkdir()
    assert cli(*command).stdout == "0 classified, 0 moved, 0 gone, 0 unchanged, 1 failed\n"
    library.rmdir()
    (tmp_path / "away").rename(library)
    assert cli(*command).stdout == "0 classified, 0 moved, 0 gone, 7 unchanged, 1 failed\n"


def test_patterns(cli: Cli, library: Path, tmp_path: Path) -> None:
    """Files that a pattern names are skipped when they are done, as those of a folder are."""
    command = ("scan", f"{library}/*/*.wav", "--db", tmp_path / "a.db", "--model", MODEL)
    assert cli(*command).stdout == "2 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"
    assert cli(*command).stdout == "0 classified, 0 moved, 0 gone, 2 unchanged, 0 failed\n"


def test_modules_in_the_current_directory(library: Path, tmp_path: Path) -> None:
    """A scan from a folder that holds Python modules, too, does not import them."""
    for name in ("soundfile", "socket", "genre_edge"):
        (library / f"{name}.py").write_text("raise SystemExit(f'{__file__} is imported')")
    program = "import sys; sys.path.remove(''); from genre_edge.__main__ import main; main()"  # as the script has it
    command = [sys.executable, "-c", program, "scan", ".", "--db", str(tmp_path / "a.db"), "--model", MODEL]
    done = subprocess.run(command, cwd=library, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (done.stderr, done.stdout) == ("", "8 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n")


def test_dry_run_writes_nothing(cli: Cli, library: Path, tmp_path: Path) -> None:
    done = cli("scan", library, "--db", tmp_path / "a.db", "--model", MODEL, "--dry-run")
    assert done.stdout.endswith("8 to classify, 0 moved, 0 gone, 0 unchanged\n") and done.returncode == 0
    assert not (tmp_path / "a.db").exists()


def test_bad_files_are_named_once(cli: Cli, library: Path, tmp_path: Path) -> None:
    """Bad files get a line and a row; they are tried again only on request."""
    (library / "text.mp3").write_text("this is not music")
    (library / "empty.flac").touch()
    os.mkfifo(library / "pipe.wav")
    (library / "link.ogg").symlink_to("nowhere")
    (library / "loop").symlink_to(library)
    command = ("scan", library, "--db", tmp_path / "a.db", "--model", MODEL)
    done = cli(*command)
    assert done.returncode == 1 and done.stdout == "11 classified, 0 moved, 0 gone, 0 unchanged, 4 failed\n"
    lines = sorted(done.stderr.splitlines())
    assert len(lines) == 4
    for line, name, reason in zip(
        lines,
        ("empty.flac", "link.ogg", "pipe.wav", "text.mp3"),
        ("the file is empty", "broken link", "not a regular file", "not an audio file"),
        strict=True,
    ):
        assert line.startswith(f"genre-edge: {library}/{name}: {reason}")
    again = cli(*command)
    assert again.stdout.startswith("0 classified") and len(again.stderr.splitlines()) == 1  # the link
    assert cli(*command, "--retry-errors").stdout.startswith("3 classified, 0 moved, 0 gone, 8 unchanged, 4 failed")


def test_odd_names(cli: Cli, songs: Path, tmp_path: Path) -> None:
    """Names with line breaks, quotes and invalid UTF-8 are classified, stored and found again."""
    names = [b"two\nlines.wav", b"\xff\xfe.wav", b"'; DROP TABLE files; --.wav", "日本.wav".encode()]
    folder = tmp_path / "music"
    folder.mkdir()
    for name in names:
        shutil.copy(songs / "album 0" / "0.wav", os.fsencode(folder) + b"/" + name)
    command = ("scan", folder, "--db", tmp_path / "a.db", "--model", MODEL)
    assert cli(*command).stdout == "4 classified, 0 moved, 0 gone, 0 unchanged, 0 failed\n"
    assert cli(*command).stdout == "0 classified, 0 moved, 0 gone, 4 unchanged, 0 failed\n"
    with LibraryDatabase(tmp_path / "a.db") as database:
        assert {os.fsencode(row.path).split(b"/")[-1] for row in database.rows()} == set(names)


def test_wrong_usage(cli: Cli, library: Path, tmp_path: Path) -> None:
    """A model or database that does not exist or fit fails before any work."""
    done = cli("scan", library, "--db", tmp_path / "a.db", "--model", "none")
    assert done.returncode == 2 and "none" in done.stderr and not (tmp_path / "a.db").exists()
    (tmp_path / "b.db").write_text("text" * 100)
    done = cli("scan", library, "--db", tmp_path / "b.db")
    assert (done.returncode, done.stderr) == (1, f"genre-edge: {tmp_path}/b.db: file is not a database\n")
    done = cli("scan", tmp_path / "nowhere", "--db", tmp_path / "a.db")
    assert done.returncode == 1 and f"{tmp_path}/nowhere: No such file or directory" in done.stderr


def test_killed_scans_equal_an_uninterrupted_one(cli: Cli, library: Path, tmp_path: Path) -> None:
    """After kills at random moments, the next scan completes the database; no other file is left."""
    cli("scan", library, "--db", tmp_path / "whole.db", "--model", MODEL, "--segments")
    (tmp_path / "killed").mkdir()
    database = tmp_path / "killed" / "a.db"
    command = ["scan", library, "--db", database, "--model", MODEL, "--segments"]
    rng = random.Random(0)
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-m", "genre_edge", *map(str, command)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(rng.uniform(0.3, 4.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = cli(*command)
    assert done.returncode == 0 and done.stderr == ""
    assert rows(database) == rows(tmp_path / "whole.db")
    assert [path.name for path in database.parent.iterdir()] == ["a.db"]


def test_interrupt_keeps_what_is_done(cli: Cli, library: Path, tmp_path: Path) -> None:
    """Ctrl+C ends the scan with exit code 130, and the next scan does what is left."""
    command = [sys.executable, "-m", "genre_edge", "scan", library, "--db", tmp_path / "a.db", "--model", MODEL]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    eventually((tmp_path / "a.db").exists, 240)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=240)
    assert process.returncode in (0, 130) and stderr == b""
    n_done = len(rows(tmp_path / "a.db"))
    assert n_done == 8 or process.returncode == 130
    expected = f"{8 - n_done} classified, 0 moved, 0 gone, {n_done} unchanged, 0 failed\n"
    assert cli("scan", library, "--db", tmp_path / "a.db", "--model", MODEL).stdout == expected
