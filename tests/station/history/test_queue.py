"""WriteBehindQueue: batches by size and by time, and the bound while a disk fails."""

import sqlite3
from pathlib import Path

import pytest

from genre_edge.station.history import queue
from genre_edge.station.history.queue import BATCH_SIZE, WriteBehindQueue
from genre_edge.station.history.store import Row, VerdictStore
from genre_edge.station.history.verdict_history import VerdictHistory
from tests.helpers.station import NOON, count_rows, eventually, make_verdict, times


def test_batch_by_size(tmp_path: Path) -> None:
    """Nothing is written before a batch is full."""
    history = VerdictHistory(tmp_path / "h.db")
    for i in range(BATCH_SIZE - 1):
        history.add(make_verdict(NOON + i))
    assert count_rows(tmp_path / "h.db") == 0
    history.add(make_verdict(NOON + BATCH_SIZE))
    eventually(lambda: count_rows(tmp_path / "h.db") == BATCH_SIZE)
    history.close()


def test_batch_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An incomplete batch is written after a while."""
    monkeypatch.setattr(queue, "BATCH_INTERVAL_S", 0.05)
    history = VerdictHistory(tmp_path / "h.db")
    history.add(make_verdict(NOON))
    eventually(lambda: count_rows(tmp_path / "h.db") == 1)
    history.close()


def test_pending_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk is full, the newest verdicts stay queued."""

    def fail(self: VerdictStore, rows: list[Row]) -> None:
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(queue, "MAX_PENDING", 20)
    monkeypatch.setattr(VerdictStore, "write", fail)
    history = VerdictHistory(tmp_path / "h.db")
    for i in range(50):
        history.add(make_verdict(NOON + i))
        history.flush()
    assert times(history.verdicts()) == [NOON + i for i in range(30, 50)]
    assert (history.unsaved, history.lost) == (20, 30)
    history.close()


def test_discarded_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that a full queue discards counts as lost, unless it was being written."""
    monkeypatch.setattr(queue, "MAX_PENDING", 3)
    pending = WriteBehindQueue()
    for i in range(5):
        pending.append(Row(float(i), "low", "{}"))
    assert pending.n_discarded == 2
    number, written = pending.snapshot()
    for i in range(5, 7):
        pending.append(Row(float(i), "low", "{}"))
    assert pending.n_discarded == 4
    pending.discard_through(number)
    assert [row.time for row in written] == [2, 3, 4] and [row.time for row in pending.rows()] == [5, 6]
    assert pending.n_discarded == 2


def test_discard_keeps_later_rows() -> None:
    """Rows that were appended after the snapshot stay queued."""
    pending = WriteBehindQueue()
    rows = [Row(float(i), "low", "{}") for i in range(3)]
    for row in rows[:2]:
        pending.append(row)
    number, written = pending.snapshot()
    pending.append(rows[2])
    pending.discard_through(number)
    assert written == rows[:2] and pending.rows() == rows[2:] and len(pending) == 1
    pending.close()
    assert not pending.wait_for_batch(lambda: False)
