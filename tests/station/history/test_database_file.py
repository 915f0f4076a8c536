"""DatabaseFile: what a file is, from its bytes alone."""

import ctypes
import fcntl
import os
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from genre_edge.station.history import database_file
from genre_edge.station.history.database_file import DatabaseFile
from genre_edge.station.history.schema import APPLICATION_ID, ForeignFileError, UnavailableError
from genre_edge.station.history.verdict_history import VerdictHistory
from tests.helpers.station import NOON, make_verdict


def kind(path: Path) -> str:
    file = DatabaseFile(path)
    try:
        return file.kind()
    finally:
        file.close()


def create(path: Path, n: int = 20) -> None:
    history = VerdictHistory(path)
    for i in range(n):
        history.add(make_verdict(NOON + i))
    history.close()


def execute(path: Path, script: str) -> None:
    database = sqlite3.connect(path)
    database.executescript(script)
    database.close()


def damage(start: int, content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        create(path)
        with path.open("r+b") as file:
            file.seek(start)
            file.write(content)

    return write


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Path.touch, "empty"),
        (lambda path: execute(path, "CREATE TABLE a (b); DROP TABLE a; VACUUM"), "empty"),
        (create, "history"),
        (lambda path: create(path, 0), "history"),
        (damage(0, b"x" * 100), "damaged"),
        (damage(0, bytes(4096)), "damaged"),
        (damage(16, b"\xff" * 4080), "damaged"),
        (damage(68, b"abcd"), "damaged"),
        (damage(60, b"\xff"), "damaged"),
        (lambda path: path.write_bytes(b"SQLite fo"), "damaged"),
    ],
    ids=["new", "no tables", "history", "no verdicts", "header", "page", "page but magic", "owner", "version", "cut"],
)
def test_kind(make: Callable[[Path], object], expected: str, tmp_path: Path) -> None:
    """A history is recognised by its header, else by its schema, else by a page of its tables."""
    make(tmp_path / "h.db")
    assert kind(tmp_path / "h.db") == expected


def pack(path: Path) -> None:
    create(path.with_name("packed.db"))
    with tarfile.open(path, "w") as archive:
        archive.add(path.with_name("packed.db"))


def dump(path: Path) -> None:
    create(path.with_name("dumped.db"))
    database = sqlite3.connect(path.with_name("dumped.db"))
    path.write_text("\n".join(database.iterdump()))
    database.close()


def restore(path: Path) -> None:
    dump(path.with_name("dump.sql"))
    execute(path, path.with_name("dump.sql").read_text())


def log_verdicts(path: Path) -> None:
    execute(path, "CREATE TABLE log (line)")
    database = sqlite3.connect(path)
    database.executemany("INSERT INTO log VALUES (?)", [('{"schema_version":1,"genre":"low"}' * 20,)] * 100)
    database.commit()
    database.close()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"no database"), "file is not a database"),
        (lambda path: path.write_bytes(b'{"schema_version":1,"genre":"low"}\r\n' * 5000), "file is not a database"),
        (lambda path: path.write_bytes(bytes(100_000)), "file is not a database"),
        (pack, "file is not a database"),
        (dump, "file is not a database"),
        (restore, "not a history"),
        (log_verdicts, "not a history"),
        (lambda path: execute(path, "CREATE TABLE a (b); PRAGMA application_id = 7"), "not a history"),
        (lambda path: execute(path, "CREATE TABLE a (b); PRAGMA user_version = 1"), "not a history"),
        (lambda path: (create(path), execute(path, "PRAGMA user_version = 2")), "not a history of this version"),
        (
            lambda path: execute(path, f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 3"),
            "not a history of this version",
        ),
    ],
    ids=["text", "verdicts as text", "zeros", "tar", "dump", "restored", "log", "owner", "version", "newer", "newest"],
)
def test_foreign_file(make: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    """A file of another program, or of a newer schema, is not a history, and stays as it is."""
    path = tmp_path / "folder" / "h.db"
    path.parent.mkdir()
    make(path)
    before = path.read_bytes()
    with pytest.raises(ForeignFileError, match=reason):
        kind(path)
    names = sorted(path.parent.iterdir())
    history = VerdictHistory(path)
    history.add(make_verdict(NOON))
    history.close()
    assert (history.state, history.unsaved) == ("failing", 1)
    assert path.read_bytes() == before and sorted(path.parent.iterdir()) == names


def test_named_pipe(tmp_path: Path) -> None:
    """A named pipe is refused without waiting for its writer."""
    os.mkfifo(tmp_path / "h.db")
    with pytest.raises(UnavailableError):
        DatabaseFile(tmp_path / "h.db")


def test_symbolic_link(tmp_path: Path) -> None:
    """A damaged file behind a symbolic link is set aside in its own folder; the link stays."""
    (tmp_path / "data").mkdir()
    create(tmp_path / "data" / "real.db")
    path = tmp_path / "h.db"
    path.symlink_to(tmp_path / "data" / "real.db")
    with path.open("r+b") as file:
        file.write(b"x" * 100)
    create(path)
    assert path.is_symlink() and kind(path) == "history"
    assert (tmp_path / "data" / "real.db.damaged").is_file()


class MacosLock(ctypes.Structure):
    """`struct flock` of macOS."""

    _fields_ = (
        ("start", ctypes.c_int64),
        ("size", ctypes.c_int64),
        ("pid", ctypes.c_int32),
        ("type", ctypes.c_short),
        ("whence", ctypes.c_short),
    )


def test_lock_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock that keeps SQLite before Python 3.12 from a checkpoint has the layout of macOS."""
    monkeypatch.setattr(database_file.sys, "platform", "darwin")
    lock = MacosLock.from_buffer_copy(database_file._read_lock(0x40000002, 510))
    assert (lock.start, lock.size, lock.pid) == (0x40000002, 510, 0)
    assert (lock.type, lock.whence) == (fcntl.F_RDLCK, os.SEEK_SET)
