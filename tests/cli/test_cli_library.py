"""`genre-edge report`, `export` and `playlist`: what they make of a library's rows."""

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest

from genre_edge.library.database import FileRow, LibraryDatabase
from genre_edge.output.text import portable
from tests.conftest import Cli

GENRES = json.dumps([{"genre": "jazz", "probability": 0.9}])
ODD = os.fsdecode(b"/music/\xff <b>\n.mp3")


def row(path: str, genre: str | None = None, confidence: float | None = None, **values: object) -> FileRow:
    columns = {"classified_s": 30.0, "duration_s": 1800.0, "genres": GENRES} | values
    return FileRow(path, 1, 2, "d", "t", "edge 5", "abc", 1.0, genre=genre, confidence=confidence, **columns)  # type: ignore[arg-type]


ROWS = [
    row("/music/a.mp3", "jazz", 0.9, style="swing"),
    row("/music/b.mp3", "jazz", 0.4, style="swing"),
    row("/music/#c.mp3", "rock", 0.8, style="metal"),
    row("/music/d.mp3", None, 0.3, reason="low_confidence"),
    row("/music/e.mp3", None, None, reason="not_music", sound="speech"),
    row(ODD, "jazz", 0.7),
    row("/music/f.mp3", error="not an audio file", classified_s=None, duration_s=None, genres="[]"),
    row("/music/gone.mp3", "pop", 1.0, gone_at="t"),
]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    with LibraryDatabase(tmp_path / "a.db") as database:
        database.write((r, []) for r in ROWS)
    return tmp_path / "a.db"


def test_report(invoke: Cli, db: Path) -> None:
    """Numbers, charts, doubtful files (those without a genre first) and failures; nothing of missing files."""
    lines = invoke("report", "--db", db).stdout.splitlines()
    assert lines[0] == "6 files, 3.0 hours of audio, 1 failed, 1 missing"
    jazz, rock = lines[lines.index("genres") + 1 :][:2]
    assert jazz.split()[:3] == ["jazz", "3", "50.0%"] and rock.split()[:3] == ["rock", "1", "16.7%"]
    assert len(jazz.split()[3]) == 40 and len(rock.split()[3]) == 13
    doubtful = lines[lines.index("doubtful files") + 1 :][:3]
    assert [line.split()[:2] for line in doubtful] == [["low_confidence", "30%"], ["jazz", "40%"], ["jazz", "70%"]]
    assert lines[-1] == "  /music/f.mp3: not an audio file" and "gone.mp3" not in "".join(lines)
    assert len(invoke("report", "--db", db, "--top", 1).stdout.splitlines()) == len(lines) - 4


def test_report_page(invoke: Cli, db: Path, tmp_path: Path) -> None:
    """The page holds the same numbers, refers to no other file, and escapes names."""
    assert invoke("report", "--db", db, "--html", tmp_path / "report.html").stdout == ""
    page = (tmp_path / "report.html").read_text()
    assert "6 files with 3.0 hours of audio, 1 could not be classified, 1 are missing" in page
    assert re.search(r'>jazz</th><td class="number">3</td><td class="number">50.0%</td>', page)
    assert "<b>" not in page and "&lt;b&gt;" in page
    assert not re.search(r"(src|href)=|url\(|@import|<script", page)


def test_export_csv_and_json(invoke: Cli, cli: Cli, db: Path, tmp_path: Path) -> None:
    """All rows are exported with all columns, to a file as to standard output."""
    out = cli("export", "--db", db)
    found = list(csv.DictReader(io.StringIO(out.stdout, newline="")))
    expected = sorted(portable(r.path) for r in ROWS)
    assert sorted(r["path"] for r in found) == expected and list(found[0]) == list(FileRow.__dataclass_fields__)
    assert invoke("export", "--db", db, "--out", tmp_path / "a.csv").returncode == 0
    assert (tmp_path / "a.csv").read_bytes().decode() == out.stdout
    records = json.loads(cli("export", "--db", db, "--format", "json").stdout)
    assert sorted(r["path"] for r in records) == expected
    jazz = next(r for r in records if r["path"] == "/music/a.mp3")
    assert jazz["genres"] == json.loads(GENRES) and jazz["confidence"] == 0.9 and jazz["reason"] is None


def test_export_parquet(invoke: Cli, db: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra 'library'")
    assert invoke("export", "--db", db, "--format", "parquet").returncode == 2
    assert invoke("export", "--db", db, "--format", "parquet", "--out", tmp_path / "a.parquet").returncode == 0
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.num_rows == len(ROWS) and table.column_names == list(FileRow.__dataclass_fields__)
    assert sorted(table["confidence"].to_pylist(), key=str) == sorted((r.confidence for r in ROWS), key=str)


def test_playlists(invoke: Cli, db: Path, tmp_path: Path) -> None:
    """A playlist for each genre, the most confident first; a name that no playlist can hold is counted."""
    done = invoke("playlist", tmp_path / "lists", "--db", db)
    assert done.returncode == 1
    assert done.stderr == "genre-edge: 1 files are in no playlist: their names have line breaks or are not UTF-8\n"
    assert sorted(p.name for p in (tmp_path / "lists").iterdir()) == ["jazz.m3u8", "rock.m3u8"]
    assert (tmp_path / "lists" / "jazz.m3u8").read_text() == (
        "#EXTM3U\n#EXTINF:1800,a\n/music/a.mp3\n#EXTINF:1800,b\n/music/b.mp3\n"
    )


def test_playlist_choice(invoke: Cli, db: Path, tmp_path: Path) -> None:
    """Playlists by style, of some names, above a confidence, with relative paths."""
    done = invoke("playlist", tmp_path / "a", "--db", db, "--by", "styles", "--min-confidence", 0.5)
    assert (
        done.returncode == 0 and done.stdout == f"{tmp_path}/a/metal.m3u8: 1 files\n{tmp_path}/a/swing.m3u8: 1 files\n"
    )
    done = invoke("playlist", tmp_path / "b", "--db", db, "--only", "rock", "--relative")
    listed = (tmp_path / "b" / "rock.m3u8").read_text().splitlines()[-1]
    assert os.path.normpath(tmp_path / "b" / listed) == "/music/#c.mp3" and not listed.startswith(("/", "#"))
    done = invoke("playlist", tmp_path / "c", "--db", db, "--only", "polka")
    assert done.returncode == 1 and done.stderr == f"genre-edge: {db}: no file has the genre 'polka'\n"
    assert not (tmp_path / "c").exists()


def test_playlist_in_linked_folder(invoke: Cli, tmp_path: Path) -> None:
    """With --relative, a playlist behind a symbolic link names files that exist."""
    (tmp_path / "disk" / "deep" / "lists").mkdir(parents=True)
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.mp3").touch()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "deep" / "lists")
    (tmp_path / "songs").symlink_to(tmp_path / "music")
    for music in ("music", "songs"):
        with LibraryDatabase(tmp_path / f"{music}.db") as database:
            database.write([(row(f"{tmp_path}/{music}/a.mp3", "jazz", 0.9), [])])
        for folder in (tmp_path / "link", tmp_path / "link" / "new"):
            invoke("playlist", folder, "--db", tmp_path / f"{music}.db", "--relative")
            listed = (folder / "jazz.m3u8").read_text().splitlines()[-1]
            assert not listed.startswith("/") and (folder / listed).exists(), listed


@pytest.mark.parametrize("command", [["report"], ["export"], ["playlist", "lists"]])
def test_missing_database(invoke: Cli, command: list[str], tmp_path: Path) -> None:
    done = invoke(*command, "--db", tmp_path / "no.db")
    assert (done.returncode, done.stderr) == (
        1,
        f"genre-edge: {tmp_path}/no.db: no such database; genre-edge scan makes it\n",
    )
