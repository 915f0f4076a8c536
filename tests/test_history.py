"""History: bounded, batched, the same from memory and from a file, and not to be killed by a bad file."""

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from station_helpers import eventually, verdict

from genre_edge.station import history
from genre_edge.station.history import BATCH, BIN_S, DAY_S, History

NOON = 1_700_000_000 // DAY_S * DAY_S + DAY_S / 2


@pytest.fixture
def memory() -> Iterator[History]:
    made = History()
    yield made
    made.close()


def times(verdicts: list[dict]) -> list[float]:
    return [one["time"] for one in verdicts]


def rows(path: Path) -> int:
    """Verdicts in the file, as another program sees them."""
    other = sqlite3.connect(path)
    try:
        return int(other.execute("SELECT count(*) FROM verdicts").fetchone()[0])
    finally:
        other.close()


def test_what_is_added_is_there_at_once_and_whole(memory: History) -> None:
    told = [verdict(NOON + i, genre, reason) for i, (genre, reason) in enumerate([("low", None), (None, "silence")])]
    for one in told:
        memory.add(one)
    assert memory.verdicts() == told
    memory.flush()
    assert memory.verdicts() == told


@settings(max_examples=50, deadline=None)
@given(
    added=st.lists(st.integers(0, 50), max_size=60),
    flushes=st.sets(st.integers(0, 60)),
    since=st.integers(0, 60),
    limit=st.integers(1, 70),
)
def test_a_window_of_it_is_the_same_written_or_not(added: list[int], flushes: set[int], since: int, limit: int) -> None:
    kept = History()
    for i, when in enumerate(added):
        kept.add(verdict(float(when)))
        if i in flushes:
            kept.flush()
    assert times(kept.verdicts(since, limit)) == sorted(float(w) for w in added if w >= since)[-limit:]
    kept.close()


@settings(max_examples=50, deadline=None)
@given(
    ages=st.lists(st.tuples(st.integers(-2 * BIN_S, 2 * DAY_S), st.sampled_from(["low", "high", None])), max_size=60),
    flushed=st.booleans(),
)
def test_the_day_in_bins_against_its_naive_twin(ages: list[tuple[int, str | None]], flushed: bool) -> None:
    kept = History()
    expected: dict[int, dict[str | None, int]] = {}
    for age, genre in sorted(ages, key=lambda pair: -pair[0]):
        kept.add(verdict(NOON - age, genre))
        start = int(NOON - age) // BIN_S * BIN_S
        if NOON - DAY_S < start <= NOON:
            counts = expected.setdefault(start, {})
            counts[genre] = counts.get(genre, 0) + 1
    if flushed:
        kept.flush()
    assert kept.day(NOON) == [
        {"start": start, "genres": {g: n for g, n in sorted(counts.items(), key=str) if g}, "none": counts.get(None, 0)}
        for start, counts in sorted(expected.items())
    ]
    kept.close()


def test_the_oldest_make_room(tmp_path: Path) -> None:
    kept = History(tmp_path / "h.db", limit=10)
    for i in range(35):
        kept.add(verdict(NOON + i))
        if i % 7 == 0:
            kept.flush()
    kept.close()
    assert rows(tmp_path / "h.db") == 10
    again = History(tmp_path / "h.db", limit=10)
    assert times(again.verdicts()) == [NOON + i for i in range(25, 35)]
    again.close()


def test_a_file_outlives_the_station(tmp_path: Path) -> None:
    told = [verdict(NOON + i) for i in range(3)]
    for one in told:  # each in a life of its own
        kept = History(tmp_path / "h.db")
        kept.add(one)
        kept.close()
    kept = History(tmp_path / "h.db")
    assert kept.verdicts() == told and kept.day(NOON + 3) == [{"start": NOON, "genres": {"low": 3}, "none": 0}]
    kept.close()


def test_writes_are_batched(tmp_path: Path) -> None:
    kept = History(tmp_path / "h.db")
    for i in range(BATCH - 1):
        kept.add(verdict(NOON + i))
    assert rows(tmp_path / "h.db") == 0
    kept.add(verdict(NOON + BATCH))
    eventually(lambda: rows(tmp_path / "h.db") == BATCH)
    kept.close()


def test_few_are_written_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "BATCH_S", 0.05)
    kept = History(tmp_path / "h.db")
    kept.add(verdict(NOON))
    eventually(lambda: rows(tmp_path / "h.db") == 1)
    kept.close()


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
    assert [r.message for r in caplog.records] == [f"history {path}: {reason}; kept in memory, and lost at the end"]
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
    blocker.execute("ROLLBACK")
    blocker.close()
    kept.close()
    assert rows(path) == 3


def test_what_waits_for_a_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_WAITING", 20)
    kept = History(tmp_path / "h.db")
    monkeypatch.setattr(kept, "_write", lambda waiting: (_ for _ in ()).throw(sqlite3.OperationalError("disk full")))
    for i in range(50):
        kept.add(verdict(NOON + i))
        kept.flush()
    assert times(kept.verdicts()) == [NOON + i for i in range(30, 50)]
    kept.close()


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


def test_many_threads_at_once(tmp_path: Path) -> None:
    kept = History(tmp_path / "h.db")
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen = times(kept.verdicts())
            assert seen == sorted(set(seen))  # none twice between memory and file
            kept.day(NOON)

    failures: list[BaseException] = []
    monitor = threading.excepthook
    threading.excepthook = lambda args: failures.append(args.exc_value or SystemExit())
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(600):
        kept.add(verdict(NOON + i))
        if i % 50 == 0:
            kept.flush()
    done.set()
    for reader in readers:
        reader.join()
    threading.excepthook = monitor
    assert not failures and len(kept.verdicts()) == 600
    kept.close()
