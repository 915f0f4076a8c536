"""`DatabaseFile`: the file under an open database: its owner, and whether something else has changed it.

SQLite does not notice that its file was deleted, replaced or overwritten: it would write to a deleted file, or the
pages of its write-ahead log (WAL) into another program's file.
"""

import contextlib
import fcntl
import os
import re
import sqlite3
import stat
import struct
import sys
from pathlib import Path
from typing import Literal

from genre_edge.station.history.schema import (
    APPLICATION_ID,
    MARK,
    PAGE_SIZE,
    SCHEMA_VERSION,
    VERDICTS_TABLE,
    ForeignFileError,
    UnavailableError,
)

# https://www.sqlite.org/fileformat2.html#the_database_header
_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
_FORMATS = slice(18, 20)  # for writing and reading: 1, or 2 with a WAL
_FRACTIONS = slice(21, 24)  # always 64, 32, 32
_ENCODING, _VERSION, _APPLICATION_ID, _RESERVED = slice(56, 60), slice(60, 64), slice(68, 72), slice(72, 92)
_N_CELLS = slice(103, 105)
_OWNER = APPLICATION_ID.to_bytes(4, "big")
_LEAF_PAGE = b"\x0d"
_MAX_VERSION = 99  # a version up to here is a newer schema, any other is damage
_SCHEMA_RECORD = re.compile(b"tableverdictsverdicts." + re.escape(VERDICTS_TABLE.encode()), re.DOTALL)
_PAGE_MARK = re.compile(re.escape(MARK.encode()) + rb'|\{"schema_version":')
_PAGES_SEARCHED = 1024
# https://www.sqlite.org/src/file?name=src/os.h: the bytes that SQLite locks to have a file for itself
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510

Kind = Literal["empty", "history", "damaged"]
Change = Literal["deleted", "replaced", "emptied", "overwritten", "modified", "made read-only"]


class DatabaseFile:
    """The file of a database, held open until `close`. Create it before the connection, and close it after it.

    Closing any descriptor of a file drops the process's locks on it (POSIX), SQLite's included.

    Args:
        path: the file; created if it does not exist. A symbolic link is followed.

    Attributes:
        path: the file without symbolic links, after which SQLite names the WAL.

    Raises:
        UnavailableError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        try:
            try:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            except FileNotFoundError:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CREAT, 0o666)
        except OSError as error:
            raise UnavailableError(f"unable to open database file: {error.strerror}") from None
        self._seen: dict[str, tuple[int, ...] | None] = {}
        self._index_size = 0
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            self.close()
            raise UnavailableError("unable to open database file")

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def kind(self) -> Kind:
        """Return what the file is, from its bytes alone, so that SQLite opens no file of another program.

        The marks are the header's application_id, the record of the table `verdicts` on page 1, and, if page 1 is
        lost, a page of verdicts or of the table `about`.

        Raises:
            ForeignFileError: the file is not a history, or one with a newer schema.
        """
        page = os.pread(self._descriptor, PAGE_SIZE, 0)
        if not page:
            return "damaged" if self.wal_size() else "empty"  # SQLite would delete the WAL, the last trace of verdicts
        if len(page) < _HEADER_SIZE and page[: len(_MAGIC)] == _MAGIC[: len(page)]:
            return "damaged"  # too short for any content
        is_valid, version = _is_valid_header(page), int.from_bytes(page[_VERSION], "big")
        is_marked = page[_APPLICATION_ID] == _OWNER
        if is_marked and is_valid and SCHEMA_VERSION < version <= _MAX_VERSION:
            raise ForeignFileError("not a history of this version of genre-edge")
        if is_marked and is_valid:
            return "history" if version == SCHEMA_VERSION else "damaged"
        is_anonymous = is_valid and not any(page[_APPLICATION_ID]) and version == 0
        has_tables = any(page[_N_CELLS])
        if is_anonymous and not has_tables and self._size() <= PAGE_SIZE:
            return "empty"
        if not (is_anonymous and has_tables) and self._has_mark(page, is_valid):
            return "damaged"
        is_database = page.startswith(_MAGIC)
        raise ForeignFileError(
            "not a history of this version of genre-edge" if is_database else "file is not a database"
        )

    def _has_mark(self, first_page: bytes, is_valid: bool) -> bool:
        """Return True if a file whose header is not a history's has a mark of one elsewhere."""
        if _SCHEMA_RECORD.search(first_page):
            return True
        if is_valid and any(first_page[_N_CELLS]):
            return False  # the intact database of another program, which may hold anything
        if first_page[_APPLICATION_ID] == _OWNER and not any(first_page[_RESERVED]):
            return True
        for i in range(1, _PAGES_SEARCHED):
            page = os.pread(self._descriptor, PAGE_SIZE, i * PAGE_SIZE)
            if page[:1] == _LEAF_PAGE and page[3:4] == b"\0" and _PAGE_MARK.search(page):  # text has no NUL
                return True
            if not page:
                break
        return False

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def remember(self) -> None:
        """Remember the state of the file, its WAL and its shared memory; call it after each write."""
        self._seen = {suffix: _state(f"{self.path}{suffix}", suffix) for suffix in ("", "-wal", "-shm")}
        with contextlib.suppress(OSError):
            self._index_size = Path(f"{self.path}-shm").stat().st_size

    def restore_index(self) -> None:
        """Enlarge the shared memory if others have truncated it; call it before each use of the database.

        SQLite maps it to memory, and access beyond the end of a mapped file kills the process (SIGBUS). SQLite rebuilds
        an index of zeros from the WAL.
        """
        with contextlib.suppress(OSError):
            if self._is_same("-shm") and Path(f"{self.path}-shm").stat().st_size < self._index_size:
                for size in (0, self._index_size):  # first to 0: part of an index would be taken for all of it
                    os.truncate(f"{self.path}-shm", size)

    def change(self) -> Change | None:
        """Return what others have done to the file since `remember`; None if nothing.

        Raises:
            OSError: the folder cannot be read.
            sqlite3.Error: see `kind`; the file is then "overwritten".
        """
        now = {suffix: _state(f"{self.path}{suffix}", suffix) for suffix in self._seen}
        if now[""] is None:
            return "deleted"
        file = os.fstat(self._descriptor)
        if now[""][:2] != (file.st_dev, file.st_ino):
            return "replaced"
        if file.st_size == 0:
            return "emptied"
        if now != self._seen:
            try:
                if self.kind() == "empty":
                    return "overwritten"
            except ForeignFileError:
                return "overwritten"
            return "modified"
        return None if os.access(self.path, os.W_OK) else "made read-only"

    def has_wal(self) -> bool:
        """Return True if the WAL that was there at `remember` still exists under its name."""
        return self._is_same("-wal")

    def is_linked(self) -> bool:
        """Return True if the open file still has a name and is a history."""
        with contextlib.suppress(sqlite3.Error):
            return os.fstat(self._descriptor).st_nlink > 0 and self.kind() == "history"
        return False

    def has_index(self) -> bool:
        """Return True if the WAL's index, the shared memory, exists."""
        return Path(f"{self.path}-shm").exists()

    def wal_size(self) -> int:
        """Return the size of the WAL in bytes; 0 if it does not exist."""
        try:
            return Path(f"{self.path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def prevent_checkpoint(self, database: sqlite3.Connection) -> None:
        """Keep SQLite from writing its WAL into the file when the connection closes.

        Before Python 3.12, a lock of the open file description does, which conflicts with SQLite's own lock. Where
        Python lacks such locks, SQLite begins the checkpoint, and an interrupt ends it before it writes a page.
        """
        if sys.version_info >= (3, 12):
            database.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE)
        elif hasattr(fcntl, "F_OFD_SETLK"):
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _read_lock(_SHARED_FIRST, _SHARED_SIZE))
        else:
            database.interrupt()

    def remove(self, *suffixes: str) -> None:
        """Delete WAL or shared memory, unless others have replaced them: SQLite would apply them to the next file."""
        for suffix in suffixes:
            if self._is_same(suffix):
                Path(f"{self.path}{suffix}").unlink()

    def _is_same(self, suffix: str) -> bool:
        seen, now = self._seen.get(suffix), _state(f"{self.path}{suffix}", suffix)
        return seen is not None and now is not None and seen[:2] == now[:2]


def _read_lock(first: int, size: int) -> bytes:
    """Return a `struct flock` of fcntl(2) for `size` bytes from `first`."""
    if sys.platform == "darwin":
        return struct.pack("qqihh", first, size, 0, fcntl.F_RDLCK, os.SEEK_SET)
    return struct.pack("hhqqi", fcntl.F_RDLCK, os.SEEK_SET, first, size, 0)


def _is_valid_header(page: bytes) -> bool:
    """Return True if the fields of a database header that have few values have one of them."""
    encoding = int.from_bytes(page[_ENCODING], "big")  # 0 in a database without tables
    return (
        page.startswith(_MAGIC)
        and set(page[_FORMATS]) <= {1, 2}
        and page[_FRACTIONS] == bytes([64, 32, 32])
        and (1 <= encoding <= 3 or not (encoding or any(page[_N_CELLS])))
        and not any(page[_RESERVED])
    )


def _state(path: str, suffix: str) -> tuple[int, ...] | None:
    """Return device and inode, and size and modification time except of shared memory; None if there is no file."""
    try:
        found = Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    identity = (found.st_dev, found.st_ino)
    return identity if suffix == "-shm" else (*identity, found.st_size, found.st_mtime_ns)
