"""The library's database: rows, segments, transactions, odd paths, other files."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.library.database import FileRow, LibraryDatabase, LibraryError, ModelRow, SegmentRow
from genre_edge.library.statistics import statistics


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


VERSION_1 = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    audio_digest TEXT, scanned_at TEXT NOT NULL, gone_at TEXT, model TEXT NOT NULL, model_sha256 TEXT NOT NULL,
    coverage REAL NOT NULL, error TEXT, warning TEXT, genre TEXT, confidence REAL, reason TEXT, style TEXT, sound TEXT,
    music_share REAL, duration_s REAL, classified_s REAL, genres TEXT NOT NULL DEFAULT '[]',
    styles TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX files_by_genre ON files (genre, confidence);
CREATE INDEX files_by_state ON files (gone_at, error, genre, style, reason, sound, model, classified_s);
CREATE INDEX files_by_doubt ON files (gone_at, error, reason IS NULL, confidence, path);
CREATE INDEX files_by_audio ON files (audio_digest);
CREATE INDEX files_with_error ON files (path) WHERE error IS NOT NULL;
CREATE TABLE segments (
    file_id INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE, start_s REAL NOT NULL, end_s REAL NOT NULL,
    genre TEXT, confidence REAL, reason TEXT, PRIMARY KEY (file_id, start_s)
) WITHOUT ROWID;
PRAGMA application_id = 0x67656C69;
PRAGMA user_version = 1;
INSERT INTO files (path, size, mtime_ns, audio_digest, scanned_at, model, model_sha256, coverage, genre, confidence)
VALUES ('/a', 1, 2, 'd', '2026-01-31T00:00:00+00:00', 'edge 5', 'a', 1.0, 'jazz', 0.9),
       ('/b', 1, 2, 'd', '2026-01-31T00:00:00+00:00', 'edge 5', 'a', 1.0, 'rock', 0.4),
       ('/c', 1, 2, 'd', '2026-01-31T00:00:00+00:00', 'edge 5', 'a', 1.0, NULL, 0.2),
       ('/d', 1, 2, 'd', '2026-01-31T00:00:00+00:00', 'nano 5', 'b', 1.0, NULL, 0.1);
INSERT INTO segments VALUES (2, 0.0, 5.0, 'rock', 0.4, NULL);
"""


def schema(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the columns of the tables and indexes of a database, and its version."""
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
        columns = {name: connection.execute(f"PRAGMA table_xinfo ({name})").fetchall() for name in names}
        indexes = {f"index {name}": connection.execute(f"PRAGMA index_info ({name})").fetchall() for name in names}
        return columns | indexes | {"version": connection.execute("PRAGMA user_version").fetchall()}


def test_version_1_is_upgraded(tmp_path: Path) -> None:
    """A database of version 1 keeps its rows, and gets the same tables and indexes as a new one."""
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1)
    for _ in range(2):
        with LibraryDatabase(path, must_exist=True) as database:
            found = {r.path: (r.genre, r.confidence, r.has_segments) for r in database.rows()}
            assert database.models() == {"a": ModelRow("a", "edge 5", 0.4, 0.5), "b": ModelRow("b", "nano 5", 0.0, 0.5)}
            assert len(database.segments("/b")) == 1
    assert found == {"/a": ("jazz", 0.9, 0), "/b": ("rock", 0.4, 1), "/c": (None, 0.2, 0), "/d": (None, 0.1, 0)}
    with LibraryDatabase(tmp_path / "new.db"):
        pass
    assert schema(path) == schema(tmp_path / "new.db")


def test_failed_upgrade_changes_nothing(tmp_path: Path) -> None:
    """A database of version 1 that lacks a part of it keeps its version and tables."""
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1 + "DROP TABLE segments;")
    before = schema(path)
    with pytest.raises(LibraryError, match="no such table"):
        LibraryDatabase(path)
    assert schema(path) == before


def test_models_come_back(tmp_path: Path) -> None:
    """A model is read as it was written last."""
    with LibraryDatabase(tmp_path / "a.db") as database:
        for threshold in (0.2, 0.3):
            database.write_model(ModelRow("a", "edge 5", threshold, 0.5))
        assert database.models() == {"a": ModelRow("a", "edge 5", 0.3, 0.5)}


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


def test_counts_need_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of a report come from an index alone."""
    statements = []
    with LibraryDatabase(Path(":memory:")) as database:
        query = database.query

        def recorded(statement: str) -> list[tuple[Any, ...]]:
            statements.append(statement)
            return query(statement)

        monkeypatch.setattr(database, "query", recorded)
        statistics(database, 20)
        plans = [" ".join(row[-1] for row in query(f"EXPLAIN QUERY PLAN {statement}")) for statement in statements]
    assert len(plans) == 3
    assert all("COVERING INDEX" in plan for plan in plans), plans


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
