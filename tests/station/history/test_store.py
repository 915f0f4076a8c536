"""VerdictStore: bounds of the tables, and files that are not usable as a history."""

import sqlite3
from pathlib import Path

import pytest

from genre_edge.station import service
from genre_edge.station.history import store
from genre_edge.station.history.store import BIN_S, VerdictStore
from genre_edge.station.history.verdict_history import VerdictHistory
from tests.helpers.station import NOON, count_rows, make_verdict


def test_counts_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of counts is bounded; the oldest rows are deleted."""
    monkeypatch.setattr(store, "MAX_COUNTS", 10)
    history = VerdictHistory()
    for i in range(35):
        history.add(make_verdict(NOON + i * BIN_S))
        history.flush()
    starts = [one["start"] for one in history.day_bins(NOON + 34 * BIN_S)]
    assert starts == [NOON + i * BIN_S for i in range(25, 35)]
    history.close()


def test_open_empty_file(tmp_path: Path) -> None:
    """An empty file becomes a history."""
    (tmp_path / "h.db").touch()
    history = VerdictHistory(tmp_path / "h.db")
    history.add(make_verdict(NOON))
    history.close()
    assert count_rows(tmp_path / "h.db") == 1


def test_reopen_memory_keeps_rows() -> None:
    """Reopening a database in memory keeps its content."""
    memory = VerdictStore(None)
    memory.open()
    memory.write([store.Row(NOON, "low", "{}")])
    memory.open(check=True)
    assert memory.newest(0.0, 10) == ["{}"]
    memory.close()


def test_read_before_open(tmp_path: Path) -> None:
    """A file that could not be opened yet has no rows."""
    unopened = VerdictStore(tmp_path / "h.db")
    assert unopened.newest(0.0, 10) == [] and not unopened.counts(0.0, NOON)
    unopened.close()


def test_write_is_atomic(tmp_path: Path) -> None:
    """A failing write leaves none of its rows."""
    file = VerdictStore(tmp_path / "h.db")
    file.open()
    with pytest.raises(sqlite3.Error):
        file.write([store.Row(NOON, "low", "{}"), store.Row(NOON, None, "{}")])  # type: ignore[arg-type]
    assert count_rows(tmp_path / "h.db") == 0 and not file.counts(0.0, NOON)
    file.close()


def test_busy_timeout_fits_shutdown() -> None:
    """A shutdown waits for a lock twice: in the writer thread, then in the last flush."""
    assert 2 * store.BUSY_TIMEOUT_S < service._SAVE_TIMEOUT_S
