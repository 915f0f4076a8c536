"""History: a file that is bad, locked, full or broken keeps no station from listening."""

import json
import logging
import os
import sqlite3
from pathlib import Path

import pytest

from genre_edge.station import service
from genre_edge.station.history import store as history
from genre_edge.station.history.store import History
from tests.helpers.station import NOON, rows, times, verdict


def foreign(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE songs (name)")
    other.close()


def newer(path: Path) -> None:
    History(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(b"no database" * 1000), "file is not a database"),
        (lambda path: path.mkdir(), "unable to open database file"),
        (foreign, "no history of this version of genre-edge"),
        (newer, "no history of this version of genre-edge"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line_and_left_alone(
    spoil: "object", reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "h.db"
    spoil(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    kept = History(path)
    kept.add(verdict(NOON))
    kept.flush()
    assert times(kept.verdicts()) == [NOON]
    kept.close()
    assert [r.message for r in caplog.records] == [f"history {path}: {reason}; the newest 1000 verdicts wait in memory"]
    assert (kept.state, kept.unsaved) == ("failing", 1)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_place_that_is_not_there_or_read_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = [tmp_path / "nowhere" / "h.db", Path("/proc/self/h.db")]
    if os.getuid():
        History(tmp_path / "h.db").close()
        (tmp_path / "h.db").chmod(0o400)
        paths.append(tmp_path / "h.db")
    for path in paths:
        kept = History(path)
        kept.add(verdict(NOON))
        assert times(kept.verdicts()) == [NOON]
        kept.close()
    assert len(caplog.records) == len(paths)


def test_an_empty_file_is_a_new_history(tmp_path: Path) -> None:
    (tmp_path / "h.db").touch()
    kept = History(tmp_path / "h.db")
    kept.add(verdict(NOON))
    kept.close()
    assert rows(tmp_path / "h.db") == 1


def test_a_disk_that_fails_for_a_while_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    path = tmp_path / "h.db"
    kept = History(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")  # a write lock: the same to us as a disk that is full
    for i in range(3):
        kept.add(verdict(NOON + i))
        kept.flush()
    assert times(kept.verdicts()) == [NOON, NOON + 1, NOON + 2]
    assert len(caplog.records) == 1 and "database is locked" in caplog.records[0].message
    assert (kept.state, kept.unsaved) == ("failing", 3)
    blocker.execute("ROLLBACK")
    blocker.close()
    kept.flush()
    assert (rows(path), kept.state, kept.unsaved) == (3, "file", 0)
    assert [record.message for record in caplog.records[1:]] == [f"history {path}: written again"]
    kept.close()


def test_a_file_that_was_locked_at_the_start_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    History(path).close()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    kept = History(path)
    kept.add(verdict(NOON))
    assert kept.state == "failing" and times(kept.verdicts()) == [NOON]
    blocker.execute("ROLLBACK")
    blocker.close()
    kept.flush()
    assert (rows(path), kept.state) == (1, "file")
    kept.close()


def test_a_spoilt_file_that_is_taken_away_makes_room_for_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    path.write_bytes(b"no database" * 1000)
    kept = History(path)
    kept.add(verdict(NOON))
    kept.flush()
    path.unlink()
    kept.flush()
    assert (rows(path), kept.state) == (1, "file")
    kept.close()


def test_a_lock_is_outwaited_by_whoever_ends_a_station() -> None:
    """Twice, as the writer may be waiting for it already."""
    assert 2 * history.BUSY_S < service._SAVE_S


def test_what_waits_for_a_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_WAITING", 20)
    kept = History(tmp_path / "h.db")
    monkeypatch.setattr(kept, "_write", lambda waiting: (_ for _ in ()).throw(sqlite3.OperationalError("disk full")))
    for i in range(50):
        kept.add(verdict(NOON + i))
        kept.flush()
    assert times(kept.verdicts()) == [NOON + i for i in range(30, 50)]
    kept.close()


def overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def stale_index(path: Path) -> None:
    """An index that no longer is the table's."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA writable_schema = ON")
    (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'verdicts_by_time'").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    overwrite(path, (page - 1) * size + size - 200, b"\x00" * 200)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: overwrite(path, path.stat().st_size // 4096 // 4 * 4096, b"\xff" * (path.stat().st_size // 2)),
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, path.stat().st_size - 4096),
        lambda path: overwrite(path, 100, b"\xff" * 3000),
        stale_index,
    ],
    ids=["pages", "half", "last page", "schema", "index"],
)
def test_a_history_that_is_damaged_inside_is_set_aside(
    spoil: "object", tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "h.db"
    kept = History(path, limit=1500)
    for i in range(1400):
        kept.add(verdict(NOON + i))
        if i % 500 == 0:
            kept.flush()
    kept.close()
    spoil(path)  # type: ignore[operator]
    size = path.stat().st_size
    kept = History(path, limit=1500)
    for i in range(300):
        kept.add(verdict(NOON + 3000 + i))
        if i % 50 == 0:
            kept.verdicts(), kept.day(NOON + 3000)
            kept.flush()
    assert kept.state == "file"
    kept.close()
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",) and 1 <= rows(path) <= 300
    database.close()
    said = [record.message for record in caplog.records]
    assert sum(line.endswith("; it is h.db.damaged now, and a new one begins") for line in said) == 1
    assert len(said) <= 3 and (tmp_path / "h.db.damaged").stat().st_size >= size


def test_a_byte_that_is_lost_spoils_one_verdict_at_most(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "h.db"
    kept = History(path)
    for i in range(3):
        kept.add(verdict(NOON + i))
    kept.close()
    content = path.read_bytes()
    begin = json.dumps(verdict(NOON), separators=(",", ":"))[:12].encode()
    starts = [at for at in range(len(content)) if content.startswith(begin, at)]
    assert len(starts) == 3
    overwrite(path, starts[0], b"x")  # of the last row: pages are filled from their ends
    overwrite(path, content.index(b'"genre":"', starts[1]) + 9, b"\xff")
    database = sqlite3.connect(path)
    database.executescript("UPDATE verdicts SET content = CAST(content AS BLOB) WHERE id = 1")
    database.execute("INSERT INTO verdicts (time, content) VALUES (?, 7), (?, '[]')", (NOON + 3, NOON + 4))
    database.commit()
    database.close()
    kept = History(path)
    assert times(kept.verdicts()) == [NOON + 1] and kept.state == "file"
    kept.close()
    assert not caplog.records


def test_a_file_that_breaks_while_in_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "h.db"
    kept = History(path)
    for i in range(300):
        kept.add(verdict(NOON + i))
    kept.flush()
    with path.open("r+b") as file:
        file.truncate(4096)
        file.seek(0)
        file.write(b"\xff" * 4096)
    Path(f"{path}-wal").write_bytes(b"")
    kept.add(verdict(NOON + 300))
    assert NOON + 300 in times(kept.verdicts(since=NOON + 300)) and isinstance(kept.day(NOON + 300), list)
    kept.close()
    assert len(caplog.records) <= 1
