"""The library's database: rows, segments, transactions, odd paths, other files."""

import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.library.database import FileRow, LibraryDatabase, LibraryError, SegmentRow


def row(path: str, **values: object) -> FileRow:
    return FileRow(
        **(
            {
                "path": path,
                "size": 1,
                "mtime_ns": 2,
                "audio_digest": "d",
                "scanned_at": "2026-01-31T00:00:00+00:00",
                "model": "edge 5",
                "model_sha256": "a",
                "coverage": 1.0,
            }
            | values
        )
    )  # type: ignore[arg-type]


def test_rows_come_back(tmp_path: Path) -> None:
    """Rows and segments are read as they were written; a second write replaces both."""
    segments = [SegmentRow(0.0, 5.0, "jazz", 0.9, None), SegmentRow(2.5, 7.5, None, None, "silence")]
    with LibraryDatabase(tmp_path / "a.db") as database:
        database.write([(row("/b", genre="jazz", confidence=0.9), segments), (row("/a", error="damaged"), [])])
    with LibraryDatabase(tmp_path / "a.db", must_exist=True) as database:
        assert list(database.rows()) == [row("/a", error="damaged"), row("/b", genre="jazz", confidence=0.9)]
        assert list(database.rows("genre = ?", ("jazz",))) == [row("/b", genre="jazz", confidence=0.9)]
        assert database.segments("/b") == segments
        database.write([(row("/b", size=7), segments[:1])])
        assert [r.size for r in database.rows()] == [1, 7] and database.segments("/b") == segments[:1]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=12).filter(lambda b: b"\0" not in b), min_size=1, max_size=8, unique=True)
)
def test_all_paths_come_back(names: list[bytes]) -> None:
    """Paths that are not UTF-8, and those that look like the escape of one, are kept apart."""
    paths = [os.fsdecode(b"/" + name) for name in names] + [os.fsdecode(b"/\xff"), "/\\xff"]
    with LibraryDatabase(Path(":memory:")) as database:
        database.write((row(path), []) for path in paths)
        assert {r.path for r in database.rows()} == set(paths)


def test_moves_touches_and_gone(tmp_path: Path) -> None:
    """A moved row replaces the one at its new path; marks of missing files are set and removed."""
    with LibraryDatabase(tmp_path / "a.db") as database:
        database.write([(row("/a", genre="jazz"), [SegmentRow(0, 5, "jazz", 0.9, None)]), (row("/b"), [])])
        database.move([("/a", "/b", 9)])
        assert list(database.rows()) == [row("/b", genre="jazz", mtime_ns=9)] and len(database.segments("/b")) == 1
        database.mark_gone(["/b"], "2026-02-01T00:00:00+00:00")
        assert [r.gone_at for r in database.rows()] == ["2026-02-01T00:00:00+00:00"]
        database.touch([("/b", 5, 6)])
        assert list(database.rows()) == [row("/b", genre="jazz", size=5, mtime_ns=6)]


def test_failed_write_changes_nothing(tmp_path: Path) -> None:
    """An error in the middle of a batch leaves no row of it."""
    with LibraryDatabase(tmp_path / "a.db") as database:
        database.write([(row("/a"), [])])
        with pytest.raises(LibraryError, match=r"a\.db: .*NOT NULL"):
            database.write([(row("/b"), []), (row("/c", size=None), [])])
        assert [r.path for r in database.rows()] == ["/a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no database, but something else that is long enough to be one", "not a database"),
        ("CREATE TABLE t (x)", "the database of another program"),
        ("PRAGMA application_id = 0x67656C69; PRAGMA user_version = 99; CREATE TABLE t (x)", "schema version 99"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | str, message: str) -> None:
    """Another program's file is neither used nor changed."""
    path = tmp_path / "a.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        with sqlite3.connect(path) as connection:
            connection.executescript(content)
    before = path.read_bytes()
    with pytest.raises(LibraryError, match=message):
        LibraryDatabase(path)
    assert path.read_bytes() == before


def test_missing_database(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"no\.db: no such database; genre-edge scan makes it"):
        LibraryDatabase(tmp_path / "no.db", must_exist=True)
    assert not (tmp_path / "no.db").exists()


def test_full_disk(tmp_path: Path) -> None:
    """A database that cannot grow gives a message that names it, and keeps its rows."""
    with LibraryDatabase(tmp_path / "a.db") as database:
        database.write([(row("/a"), [])])
        database._connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(LibraryError, match=r"a\.db: database or disk is full"):
            database.write((row(f"/{i}", styles="x" * 5000), []) for i in range(20))
        assert [r.path for r in database.rows()] == ["/a"]


@pytest.mark.parametrize("column", ["genre", "style"])
def test_counts_need_no_rows(column: str) -> None:
    """The numbers of a report come from an index alone."""
    statement = f"SELECT {column}, count(*) FROM files WHERE gone_at IS NULL AND error IS NULL GROUP BY {column}"
    with LibraryDatabase(Path(":memory:")) as database:
        plan = " ".join(row[-1] for row in database.query(f"EXPLAIN QUERY PLAN {statement}"))
    assert "USING COVERING INDEX files_by_state" in plan


def test_damaged_database(tmp_path: Path) -> None:
    """Damage that is found while rows are read gives an error with the file's name."""
    path = tmp_path / "a.db"
    with LibraryDatabase(path) as database:
        database.write((row(f"/{i}", styles="x" * 1000), []) for i in range(200))
    content = bytearray(path.read_bytes())
    content[8 * 4096 :] = b"\xff" * (len(content) - 8 * 4096)
    path.write_bytes(content)
    with (
        LibraryDatabase(path) as database,
        pytest.raises(LibraryError, match=r"a\.db: database disk image is malformed"),
    ):
        list(database.rows(order="id"))
