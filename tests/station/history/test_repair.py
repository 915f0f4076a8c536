"""Repair of the history: damaged files are set aside, damaged rows are skipped."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from genre_edge.station.history import repair
from genre_edge.station.history.verdict_history import VerdictHistory
from tests.helpers.station import NOON, count_rows, make_verdict, times


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def corrupt_index(path: Path) -> None:
    """Make the index differ from its table."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA writable_schema = ON")
    (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'verdicts_by_time'").fetchone()
    (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    overwrite(path, (page - 1) * size + size - 200, b"\x00" * 200)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: overwrite(path, path.stat().st_size // 4096 // 4 * 4096, b"\xff" * (path.stat().st_size // 2)),
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, path.stat().st_size - 4096),
        lambda path: overwrite(path, 100, b"\xff" * 3000),
        corrupt_index,
    ],
    ids=["pages", "half", "last page", "schema", "index"],
)
def test_damaged_file_is_set_aside(
    damage: Callable[[Path], object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged history is renamed, and a new one takes its place."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path, limit=1500)
    for i in range(1400):
        history.add(make_verdict(NOON + i))
        if i % 500 == 0:
            history.flush()
    history.close()
    damage(path)
    size = path.stat().st_size
    history = VerdictHistory(path, limit=1500)
    for i in range(300):
        history.add(make_verdict(NOON + 3000 + i))
        if i % 50 == 0:
            history.verdicts(), history.day_bins(NOON + 3000)
            history.flush()
    assert history.state == "file"
    history.close()
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",) and 1 <= count_rows(path) <= 300
    database.close()
    messages = [record.message for record in caplog.records]
    assert (
        sum(line.endswith("; renamed the damaged file to h.db.damaged, starting a new one") for line in messages) == 1
    )
    assert len(messages) <= 3 and (tmp_path / "h.db.damaged").stat().st_size >= size


def test_set_aside_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that have the name already stay; their number is limited."""
    monkeypatch.setattr(repair, "MAX_SET_ASIDE", 3)
    (tmp_path / "h.db.damaged").write_bytes(b"mine")
    (tmp_path / "h.db.damaged.1-wal").write_bytes(b"mine, too")
    path = tmp_path / "h.db"
    for content in (b"SQLite 1", b"SQLite 2"):
        path.write_bytes(content[:6])
        history = VerdictHistory(path)
        state = history.state
        history.close()
    assert (tmp_path / "h.db.damaged").read_bytes() == b"mine"
    assert (tmp_path / "h.db.damaged.1-wal").read_bytes() == b"mine, too"
    assert (tmp_path / "h.db.damaged.2").read_bytes() == b"SQLite" and not (tmp_path / "h.db.damaged.1").exists()
    assert state == "failing" and path.read_bytes() == b"SQLite"


def test_damaged_counts_are_skipped(tmp_path: Path) -> None:
    """Counts of other types than the schema's neither raise nor reach the result."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    history.add(make_verdict(NOON))
    history.close()
    database = sqlite3.connect(path)
    database.executemany(
        "INSERT INTO counts (start, genre, n) VALUES (?, ?, ?)",
        [("x", "low", 1), (NOON, b"low", 1), (NOON, "high", "many"), (NOON - 900, "high", -3)],
    )
    database.commit()
    database.close()
    history = VerdictHistory(path)
    history.add(make_verdict(NOON))
    assert history.day_bins(NOON) == [{"start": NOON, "genres": {"low": 2}, "none": 0}]
    history.close()


def test_damaged_row_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A corrupted byte costs one verdict at most."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    for i in range(3):
        history.add(make_verdict(NOON + i))
    history.close()
    content = path.read_bytes()
    prefix = json.dumps(make_verdict(NOON), separators=(",", ":"))[:12].encode()
    starts = [at for at in range(len(content)) if content.startswith(prefix, at)]
    assert len(starts) == 3
    overwrite(path, starts[0], b"x")  # the last row: SQLite fills pages from their end
    overwrite(path, content.index(b'"genre":"', starts[1]) + 9, b"\xff")
    database = sqlite3.connect(path)
    database.executescript("UPDATE verdicts SET content = CAST(content AS BLOB) WHERE id = 1")
    database.execute("INSERT INTO verdicts (time, content) VALUES (?, 7), (?, '[]')", (NOON + 3, NOON + 4))
    database.commit()
    database.close()
    history = VerdictHistory(path)
    assert times(history.verdicts()) == [NOON + 1] and history.state == "file"
    history.close()
    assert not caplog.records


def test_file_damaged_while_open(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Damage to an open file neither raises nor floods the log."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    for i in range(300):
        history.add(make_verdict(NOON + i))
    history.flush()
    with path.open("r+b") as file:
        file.truncate(4096)
        file.seek(0)
        file.write(b"\xff" * 4096)
    Path(f"{path}-wal").write_bytes(b"")
    history.add(make_verdict(NOON + 300))
    assert NOON + 300 in times(history.verdicts(since=NOON + 300)) and isinstance(history.day_bins(NOON + 300), list)
    history.close()
    assert len(caplog.records) <= 1
