"""VerdictHistory while others delete, replace, overwrite or protect its file."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genre_edge.station.history import store
from genre_edge.station.history.verdict_history import VerdictHistory
from tests.helpers.station import NOON, count_rows, make_verdict, times

NOBODY = 65534


def write(history: VerdictHistory, first: int, n: int = 30) -> None:
    for i in range(first, first + n):
        history.add(make_verdict(NOON + i))
    history.flush()


def create_foreign(path: Path) -> None:
    """Create another program's database, larger than the history's first pages."""
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE songs (name TEXT)")
    database.executemany("INSERT INTO songs VALUES (?)", [("song" * 100,)] * 200)
    database.commit()
    database.close()


def replace_with(create: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        create(path.with_name("new"))
        path.with_name("new").replace(path)

    return replace


def overwrite_with(create: Callable[[Path], object]) -> Callable[[Path], None]:
    def overwrite(path: Path) -> None:
        create(path.with_name("new"))
        path.write_bytes(path.with_name("new").read_bytes())

    return overwrite


def write_text(path: Path) -> None:
    path.write_text('{"schema_version":1,"genre":"low"}\r\n' * 2000)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))


def delete_with_wal(path: Path) -> None:
    for file in list(path.parent.glob("h.db*")):
        file.unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Path.unlink, "was deleted; starting a new one"),
        (delete_with_wal, "was deleted; starting a new one"),
        (lambda path: path.rename(path.with_name("old.db")), "was deleted; starting a new one"),
        (move_folder, "was deleted; starting a new one"),
        (lambda path: shutil.rmtree(path.parent), "was deleted; starting a new one"),
        (replace_with(Path.touch), "was replaced; continuing with the new one"),
        (lambda path: os.truncate(path, 0), "was emptied; starting a new one"),
    ],
    ids=["file", "file and WAL", "renamed", "folder renamed", "folder deleted", "replaced", "emptied"],
)
def test_file_lost_while_open(
    change: Callable[[Path], object], reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The next batch begins a new file, in the same place, and says so in one line."""
    path = tmp_path / "folder" / "h.db"
    path.parent.mkdir()
    history = VerdictHistory(path)
    write(history, 0)
    change(path)
    write(history, 100)
    assert (history.state, history.unsaved, history.lost, count_rows(path)) == ("file", 0, 0, 30)
    write(history, 200)
    history.close()
    assert count_rows(path) == 60
    assert [record.message for record in caplog.records] == [f"history {path}: the file {reason}"]


@pytest.mark.parametrize("moved", ["file", "folder"])
def test_moved_file_is_complete(moved: str, tmp_path: Path) -> None:
    """A history that is moved away keeps all verdicts written before, also those of its write-ahead log."""
    path = tmp_path / "folder" / "h.db"
    path.parent.mkdir()
    history = VerdictHistory(path)
    write(history, 0)
    target = tmp_path / "folder" / "old.db" if moved == "file" else tmp_path / "moved" / "h.db"
    path.rename(target) if moved == "file" else move_folder(path)
    write(history, 100)
    history.close()
    assert (count_rows(target), count_rows(path)) == (30, 30)


@pytest.mark.parametrize("change", [replace_with, overwrite_with])
@pytest.mark.parametrize(
    ("create", "reason"),
    [
        (create_foreign, "not a history of this version of genre-edge"),
        (write_text, "file is not a database"),
    ],
)
def test_foreign_file_while_open(
    change: Callable[[Callable[[Path], object]], Callable[[Path], None]],
    create: Callable[[Path], object],
    reason: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another program's file is never written, not even when the history is closed; once removed, saving goes on."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    write(history, 0)
    change(create)(path)
    before = path.read_bytes()
    write(history, 100)
    history.verdicts()
    assert (history.state, history.unsaved, path.read_bytes()) == ("failing", 30, before)
    history.close()
    assert path.read_bytes() == before and sorted(tmp_path.glob("h.db*")) == [path]
    assert [record.message for record in caplog.records] == [
        f"history {path}: {reason}; keeping the newest 1000 verdicts in memory and retrying"
    ]
    path.unlink()
    write(history, 200)
    assert (history.state, count_rows(path)) == ("file", 60)
    history.close()


def test_foreign_file_when_closing(tmp_path: Path) -> None:
    """A history without new verdicts does not write its log into a file that was overwritten."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    write(history, 0)
    overwrite_with(create_foreign)(path)
    before = path.read_bytes()
    history.close()
    assert path.read_bytes() == before and not Path(f"{path}-wal").exists()


def test_foreign_wal_is_kept(tmp_path: Path) -> None:
    """The write-ahead log of another program's database, which replaced the history, is left alone."""
    path, other = tmp_path / "h.db", tmp_path / "other.db"
    history = VerdictHistory(path)
    write(history, 0)
    database = sqlite3.connect(other)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE songs (name TEXT)")
    database.commit()
    for suffix in ("-wal", "-shm", ""):
        Path(f"{other}{suffix}").replace(f"{path}{suffix}")
    before = Path(f"{path}-wal").read_bytes()
    write(history, 100)
    history.close()
    assert Path(f"{path}-wal").read_bytes() == before and history.state == "failing"
    database.close()


@pytest.mark.parametrize("suffixes", [["-wal"], ["-shm"], ["-wal", "-shm"]])
def test_wal_deleted_while_open(suffixes: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Deleting the write-ahead log or its index loses no verdict."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    write(history, 0)
    for suffix in suffixes:
        Path(f"{path}{suffix}").unlink()
    write(history, 100)
    assert (history.state, count_rows(path)) == ("file", 60)
    history.close()
    assert count_rows(path) == 60 and not caplog.records


def test_index_truncated_while_open(tmp_path: Path) -> None:
    """Truncating the index of the log, which SQLite maps to memory, neither kills the process nor loses verdicts."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    write(history, 0)
    os.truncate(f"{path}-shm", 0)
    assert len(history.verdicts()) == 30
    os.truncate(f"{path}-shm", 0)
    write(history, 100)
    assert (history.state, len(history.verdicts())) == ("file", 60)
    os.truncate(f"{path}-shm", 100)
    history.close()
    assert count_rows(path) == 60


def test_wal_damaged_while_open(tmp_path: Path) -> None:
    """A damaged log is not copied into the database; its intact part is kept."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    write(history, 0)
    size = Path(f"{path}-wal").stat().st_size
    write(history, 100)
    with Path(f"{path}-wal").open("r+b") as wal:
        wal.seek(size + 100)
        wal.write(b"\xff" * 2000)
    write(history, 200)
    assert history.state == "file"
    history.close()
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",) and count_rows(path) == 60
    database.close()


def test_wal_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The log stays small, also while another program reads without end; unsaved verdicts are counted."""
    monkeypatch.setattr(store, "MAX_WAL_SIZE", 1 << 20)
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    write(history, 0)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM verdicts").fetchone()
    for i in range(40):
        write(history, 1000 * i, 100)
    assert Path(f"{path}-wal").stat().st_size < 2 << 20
    assert history.state == "failing" and (history.unsaved, history.lost > 0) == (1000, True)
    reader.execute("COMMIT")
    reader.close()
    saved_before = count_rows(path)
    write(history, 10**6)
    assert history.state == "file" and count_rows(path) == saved_before + 1000
    assert saved_before + 1000 + history.lost == 30 + 40 * 100 + 30
    history.close()
    messages = [record.message.removeprefix(f"history {path}: ") for record in caplog.records]
    assert len(messages) == 3 and messages[2] == f"writing again; {history.lost} verdicts were lost"
    assert messages[1] == "1000 verdicts are not saved; discarding the oldest"


def test_wal_is_truncated(tmp_path: Path) -> None:
    """After a large transaction the log shrinks to its limit."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    for i in range(12):
        write(history, 1000 * i, 1000)
    assert Path(f"{path}-wal").stat().st_size <= 6 << 20
    history.close()


def test_database_without_space(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk keeps the verdicts in memory, and does not set the file aside."""
    path = tmp_path / "h.db"
    history = VerdictHistory(path)
    write(history, 0)
    database = history._store._database
    assert database is not None
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    write(history, 100, 500)
    assert (history.state, history.unsaved) == ("failing", 500) and "full" in caplog.records[0].message
    database.execute("PRAGMA max_page_count = 1000000")
    write(history, 1000)
    assert (history.state, count_rows(path)) == ("file", 560)
    history.close()
    assert [file.name for file in tmp_path.iterdir()] == ["h.db"]


@contextlib.contextmanager
def unprivileged() -> Iterator[Path]:
    """Run as a user without privileges, with a folder of that user."""
    with tempfile.TemporaryDirectory() as folder:
        if os.getuid():
            yield Path(folder)
            return
        os.chown(folder, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, 0)
        try:
            yield Path(folder)
        finally:
            os.setresuid(0, 0, 0)


@pytest.mark.parametrize("protected", ["file", "folder", "both"])
@pytest.mark.parametrize("killed", [False, True])
def test_read_only_at_start(protected: str, killed: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A history that cannot be written shows its verdicts and its state, and is used once it can be written."""
    with unprivileged() as folder:
        path = folder / "h.db"
        create_history(path, killed)
        protect(path, protected, True)
        history = VerdictHistory(path)
        has_log = killed and protected != "file"  # SQLite cannot read the log in a read-only folder
        assert history.state == "read_only" and len(history.verdicts()) == (0 if has_log else 30)
        assert [record.message for record in caplog.records] == [
            f"history {path}: the file is read-only; keeping the newest 1000 verdicts in memory and retrying"
        ]
        write(history, 100)
        assert (history.state, history.unsaved) == ("read_only", 30)
        assert times(history.verdicts())[-30:] == [NOON + i for i in range(100, 130)]
        assert sum(one["genres"]["low"] for one in history.day_bins(NOON + 200)) == (30 if has_log else 60)
        protect(path, protected, False)
        write(history, 200)
        assert (history.state, history.unsaved, count_rows(path)) == ("file", 0, 90)
        history.close()
    assert len(caplog.records) == 2


def create_history(path: Path, killed: bool) -> None:
    """Create a history of 30 verdicts, closed, or as a killed process leaves it, with a write-ahead log."""
    source = path.with_name("source.db")
    history = VerdictHistory(source)
    write(history, 0)
    if killed:
        shutil.copy(source, path)
        shutil.copy(f"{source}-wal", f"{path}-wal")
    history.close()
    if not killed:
        source.rename(path)


def protect(path: Path, what: str, protected: bool) -> None:
    if what != "folder":
        path.chmod(0o444 if protected else 0o644)
    if what != "file":
        path.parent.chmod(0o555 if protected else 0o755)


def test_permission_withdrawn_while_open(caplog: pytest.LogCaptureFixture) -> None:
    """The next batch notices that the file must not be written any more."""
    with unprivileged() as folder:
        path = folder / "h.db"
        history = VerdictHistory(path)
        write(history, 0)
        protect(path, "file", True)
        write(history, 100)
        assert (history.state, history.unsaved, len(history.verdicts())) == ("read_only", 30, 60)
        protect(path, "file", False)
        write(history, 200)
        assert (history.state, count_rows(path)) == ("file", 90)
        history.close()
    assert len(caplog.records) == 2
