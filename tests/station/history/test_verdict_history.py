"""VerdictHistory: the same results from the queue, from memory and from a file."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genre_edge.station.history.store import BIN_S
from genre_edge.station.history.verdict_history import DAY_S, VerdictHistory
from tests.helpers.station import NOON, count_rows, make_verdict, times


@pytest.fixture
def memory() -> Iterator[VerdictHistory]:
    history = VerdictHistory()
    yield history
    history.close()


def test_verdicts_queued_and_written(memory: VerdictHistory) -> None:
    """Verdicts are returned unchanged, before and after they are written."""
    cases = [("low", None), (None, "silence")]
    expected = [make_verdict(NOON + i, genre, reason) for i, (genre, reason) in enumerate(cases)]
    for verdict in expected:
        memory.add(verdict)
    assert memory.verdicts() == expected
    memory.flush()
    assert memory.verdicts() == expected


def test_state_memory(memory: VerdictHistory) -> None:
    """A history without a file has the state `memory` and nothing unsaved."""
    memory.add(make_verdict(NOON))
    assert (memory.state, memory.unsaved) == ("memory", 0)


@settings(max_examples=50, deadline=None)
@given(
    added=st.lists(st.integers(0, 50), max_size=60),
    flushes=st.sets(st.integers(0, 60)),
    since=st.integers(0, 60),
    limit=st.integers(1, 70),
)
def test_verdicts_since_and_limit(added: list[int], flushes: set[int], since: int, limit: int) -> None:
    """`since` and `limit` select the same verdicts, whether they have been written or not."""
    history = VerdictHistory()
    for i, when in enumerate(added):
        history.add(make_verdict(float(when)))
        if i in flushes:
            history.flush()
    assert times(history.verdicts(since, limit)) == [float(when) for when in added if when >= since][-limit:]
    history.close()


@settings(max_examples=50, deadline=None)
@given(
    ages=st.lists(st.tuples(st.integers(-2 * BIN_S, 2 * DAY_S), st.sampled_from(["low", "high", None])), max_size=60),
    flushed=st.booleans(),
)
def test_day_bins_reference(ages: list[tuple[int, str | None]], flushed: bool) -> None:
    """The histogram equals a naive implementation's."""
    history = VerdictHistory()
    expected: dict[int, dict[str | None, int]] = {}
    for age, genre in sorted(ages, key=lambda pair: -pair[0]):
        history.add(make_verdict(NOON - age, genre))
        start = int(NOON - age) // BIN_S * BIN_S
        if NOON - DAY_S < start <= NOON:
            counts = expected.setdefault(start, {})
            counts[genre] = counts.get(genre, 0) + 1
    if flushed:
        history.flush()
    assert history.day_bins(NOON) == [
        {"start": start, "genres": {g: n for g, n in sorted(counts.items(), key=str) if g}, "none": counts.get(None, 0)}
        for start, counts in sorted(expected.items())
    ]
    history.close()


def test_limit_deletes_oldest(tmp_path: Path) -> None:
    """A file over its limit keeps the newest verdicts."""
    history = VerdictHistory(tmp_path / "h.db", limit=10)
    for i in range(35):
        history.add(make_verdict(NOON + i))
        if i % 7 == 0:
            history.flush()
    history.close()
    assert count_rows(tmp_path / "h.db") == 10
    reopened = VerdictHistory(tmp_path / "h.db", limit=10)
    assert times(reopened.verdicts()) == [NOON + i for i in range(25, 35)]
    reopened.close()


@pytest.mark.parametrize("years_off", [-6, 6])
def test_wrong_clock(years_off: int, tmp_path: Path) -> None:
    """A clock that is wrong for a while neither deletes verdicts nor changes their order."""
    history = VerdictHistory(tmp_path / "h.db")
    for i in range(96):
        history.add(make_verdict(NOON - DAY_S + (i + 1) * BIN_S))
    history.flush()
    wrong = NOON + years_off * 365 * DAY_S
    history.add(make_verdict(wrong))
    history.flush()
    assert len(history.day_bins(NOON)) == 96 and len(history.day_bins(wrong)) == 1
    history.add(make_verdict(NOON + 1))
    for _ in range(2):  # queued, then written
        assert times(history.verdicts(limit=1)) == [NOON + 1]
        history.flush()
    history.close()


def test_file_persists(tmp_path: Path) -> None:
    """Each of several histories in turn adds to the same file."""
    expected = [make_verdict(NOON + i) for i in range(3)]
    for verdict in expected:
        history = VerdictHistory(tmp_path / "h.db")
        history.add(verdict)
        history.close()
    history = VerdictHistory(tmp_path / "h.db")
    assert history.verdicts() == expected
    assert history.day_bins(NOON + 3) == [{"start": NOON, "genres": {"low": 3}, "none": 0}]
    history.close()


def test_concurrent_readers(tmp_path: Path) -> None:
    """Readers see each verdict once while it moves from the queue to the file."""
    history = VerdictHistory(tmp_path / "h.db")
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen = times(history.verdicts())
            assert seen == sorted(set(seen))
            history.day_bins(NOON)

    failures: list[BaseException] = []
    original_hook = threading.excepthook
    threading.excepthook = lambda args: failures.append(args.exc_value or SystemExit())
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for i in range(600):
        history.add(make_verdict(NOON + i))
        if i % 50 == 0:
            history.flush()
    done.set()
    for reader in readers:
        reader.join()
    threading.excepthook = original_hook
    assert not failures and len(history.verdicts()) == 600
    history.close()
