"""VerdictHistory with a file that is unusable, locked or full: verdicts stay in memory, one warning is logged."""

import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from genre_edge.station.history.verdict_history import VerdictHistory
from tests.helpers.station import NOON, count_rows, make_verdict, times


def create_foreign_database(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE songs (name)")
    other.close()


def create_newer_schema(path: Path) -> None:
    VerdictHistory(path).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        (lambda path: path.write_bytes(b"no database" * 1000), "file is not a database"),
        (lambda path: path.mkdir(), "unable to open database file"),
        (create_foreign_database, "not a history of this version of genre-edge"),
        (create_newer_schema, "not a history of this version of genre-edge"),
    ],
)
def test_open_unusable_file(
    create: Callable[[Path], object], reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is not a history is reported in one line and not modified."""
    path = tmp_path / "h.db"
    create(path)
    before = path.read_bytes() if path.is_file() else None
    history = VerdictHistory(path)
    history.add(make_verdict(NOON))
    history.flush()
    assert times(history.verdicts()) == [NOON]
    history.close()
    message = f"history {path}: {reason}; keeping the newest 1000 verdicts in memory and retrying"
    assert [record.message for record in caplog.records] == [message]
    assert (history.state, history.unsaved) == ("failing", 1)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_open_missing_folder_or_read_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that cannot be created or written is one log line; verdicts stay in memory."""
    paths = [tmp_path / "nowhere" / "h.db", Path("/proc/self/h.db")]
    if os.getuid():
        VerdictHistory(tmp_path / "h.db").close()
        (tmp_path / "h.db").chmod(0o400)
        paths.append(tmp_path / "h.db")
    for path in paths:
        history = VerdictHistory(path)
        history.add(make_verdict(NOON))
        assert times(history.verdicts()) == [NOON]
        history.close()
    assert len(caplog.records) == len(paths)


def test_write_fails_for_a_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A temporary failure loses no verdict."""
    caplog.set_level(logging.WARNING)
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")  # a write lock has the same effect as a full disk
    for i in range(3):
        history.add(make_verdict(NOON + i))
        history.flush()
    assert times(history.verdicts()) == [NOON, NOON + 1, NOON + 2]
    assert len(caplog.records) == 1 and "database is locked" in caplog.records[0].message
    assert (history.state, history.unsaved) == ("failing", 3)
    blocker.execute("ROLLBACK")
    blocker.close()
    history.flush()
    assert (count_rows(path), history.state, history.unsaved) == (3, "file", 0)
    assert [record.message for record in caplog.records[1:]] == [f"history {path}: writing again"]
    history.close()


def test_open_locked_file_retries(tmp_path: Path) -> None:
    """A file that is locked at the start is opened by a later write."""
    path = tmp_path / "h.db"
    VerdictHistory(path).close()
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    history = VerdictHistory(path)
    history.add(make_verdict(NOON))
    assert history.state == "failing" and times(history.verdicts()) == [NOON]
    blocker.execute("ROLLBACK")
    blocker.close()
    history.flush()
    assert (count_rows(path), history.state) == (1, "file")
    history.close()


def test_unusable_file_removed(tmp_path: Path) -> None:
    """Once an unusable file is removed, a new history replaces it."""
    path = tmp_path / "h.db"
    path.write_bytes(b"no database" * 1000)
    history = VerdictHistory(path)
    history.add(make_verdict(NOON))
    history.flush()
    path.unlink()
    history.flush()
    assert (count_rows(path), history.state) == (1, "file")
    history.close()
