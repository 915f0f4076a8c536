"""The journal: what is recorded, and how changes are settled of which nobody knows the end."""

import sqlite3
from pathlib import Path

import pytest

from genre_edge.library.tagging.journal import APPLIED, UNDOING, UNDONE, JournalError, Run, TagJournal

SONG = Path("/music/a\udcff\n.mp3")


def record(journal: TagJournal, run: int, path: Path = SONG) -> int:
    """Record a change from digest "old" to "new"."""
    return journal.record(run, path, ("old", "new"), ((), ("rock",)), b"delta")


def test_journal_run(tmp_path: Path) -> None:
    """A run has its changes, the last one first; a run without any is forgotten."""
    with TagJournal(tmp_path / "journal") as journal:
        run = journal.begin([SONG.parent, SONG.parent])
        assert journal.unfinished() == {run: [SONG.parent]}
        changes = [record(journal, run), record(journal, run, Path("/b"))]
        journal.set_state(changes[0], APPLIED)
        journal.set_state(changes[1], APPLIED)
        assert [change.id for change in journal.changes(run, APPLIED)] == changes[::-1]
        assert journal.changes(run)[1].path == SONG
        assert journal.delta(changes[0]) == b"delta"
        journal.set_state(changes[1], UNDONE)
        journal.finish(run)
        journal.finish(journal.begin([Path("/")]))
        assert journal.unfinished() == {}
        ((found),) = journal.runs()
        assert found == Run(run, found.started_at, 1, 1)


@pytest.mark.parametrize(
    ("state", "digest", "settled"),
    [
        (None, "new", APPLIED),
        (None, "old", None),
        (None, "other", APPLIED),
        (UNDOING, "new", APPLIED),
        (UNDOING, "old", UNDONE),
        (UNDOING, "other", APPLIED),
    ],
)
def test_journal_settle(state: str | None, digest: str, settled: str | None, tmp_path: Path) -> None:
    """The file's digest says what a killed process has done."""
    with TagJournal(tmp_path / "journal") as journal:
        change = record(journal, journal.begin([]))
        if state is not None:
            journal.set_state(change, state)

        def missing(path: Path) -> str:
            raise FileNotFoundError

        journal.settle(missing)  # a disk that is not mounted: nothing is decided
        assert [each.id for each in journal.changes(state=state)] == [change]
        journal.settle(lambda path: digest)
        assert [each.id for each in journal.changes(state=settled)] == [change] * (settled is not None)


def test_journal_other_files(tmp_path: Path) -> None:
    """Other files are refused and stay as they are; a missing one is an error where it must exist."""
    path = tmp_path / "journal"
    with pytest.raises(JournalError, match="no such journal"):
        TagJournal(path, must_exist=True)
    path.write_bytes(b"x" * 4096)
    with pytest.raises(JournalError, match="journal: file is not a database"):
        TagJournal(path)
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(JournalError, match="not a journal"):
        TagJournal(path)
    path.unlink()
    TagJournal(path).__exit__(None, None, None)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="schema version 99"):
        TagJournal(path)


def test_journal_one_process_at_a_time(tmp_path: Path) -> None:
    """A second process gets an error instead of the same files."""
    with TagJournal(tmp_path / "journal"), pytest.raises(JournalError, match="another process"):
        TagJournal(tmp_path / "journal")
    TagJournal(tmp_path / "journal").__exit__(None, None, None)
