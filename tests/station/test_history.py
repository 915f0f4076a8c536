"""History: bounded, batched, the same from memory and from a file."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.station.history import store as history
from genre_edge.station.history.store import BATCH, BIN_S, DAY_S, History
from tests.helpers.station import NOON, eventually, rows, times, verdict


@pytest.fixture
def memory() -> Iterator[History]:
    made = History()
    yield made
    made.close()


def test_what_is_added_is_there_at_once_and_whole(memory: History) -> None:
    told = [verdict(NOON + i, genre, reason) for i, (genre, reason) in enumerate([("low", None), (None, "silence")])]
    for one in told:
        memory.add(one)
    assert memory.verdicts() == told
    memory.flush()
    assert memory.verdicts() == told


def test_memory_is_no_failure(memory: History) -> None:
    memory.add(verdict(NOON))
    assert (memory.state, memory.unsaved) == ("memory", 0)


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
    assert times(kept.verdicts(since, limit)) == [float(w) for w in added if w >= since][-limit:]
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


@pytest.mark.parametrize("years_off", [-6, 6])
def test_a_clock_that_was_wrong_for_a_while_costs_nothing(years_off: int, tmp_path: Path) -> None:
    kept = History(tmp_path / "h.db")
    for i in range(96):
        kept.add(verdict(NOON - DAY_S + (i + 1) * BIN_S))
    kept.flush()
    wrong = NOON + years_off * 365 * DAY_S
    kept.add(verdict(wrong))
    kept.flush()
    assert len(kept.day(NOON)) == 96 and len(kept.day(wrong)) == 1
    kept.add(verdict(NOON + 1))
    for _ in range(2):  # as it waits, and written
        assert times(kept.verdicts(limit=1)) == [NOON + 1]
        kept.flush()
    kept.close()


def test_counts_are_bounded_and_the_oldest_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_COUNTS", 10)
    kept = History()
    for i in range(35):
        kept.add(verdict(NOON + i * BIN_S))
        kept.flush()
    starts = [one["start"] for one in kept.day(NOON + 34 * BIN_S)]
    assert starts == [NOON + i * BIN_S for i in range(25, 35)]
    kept.close()


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
