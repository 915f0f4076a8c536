"""VerdictHistory with damage at random positions of header, pages and write-ahead log: it always writes again."""

import json
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genre_edge.station.history.verdict_history import VerdictHistory
from tests.helpers.station import NOON, make_verdict, times

N_VERDICTS = 600
HEADER_SIZE = 100
PAGE_SIZE = 4096
LATER = NOON + 10**6


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with a history: closed; as a killed process leaves it, with a WAL; without verdicts."""
    base = tmp_path_factory.mktemp("histories")
    folders = {name: base / name for name in ("closed", "killed", "empty")}
    for folder in folders.values():
        folder.mkdir()
    history = VerdictHistory(folders["closed"] / "h.db")
    for i in range(N_VERDICTS):
        history.add(make_verdict(NOON + 100 * i, ["low", "high", None][i % 3]))
        if i % 50 == 0:
            history.flush()
    history.flush()
    for suffix in ("", "-wal"):
        shutil.copy(folders["closed"] / f"h.db{suffix}", folders["killed"])
    history.close()
    VerdictHistory(folders["empty"] / "h.db").close()
    return folders


def damage(file: Path, offset: int, content: bytes) -> None:
    """Overwrite bytes within a file."""
    size = file.stat().st_size
    with file.open("r+b") as stream:
        stream.seek(offset)
        stream.write(content[: size - offset])


def claims_newer_schema(path: Path) -> bool:
    """Return True if damage has made the version that of a newer schema, which must not be changed."""
    return 1 < int.from_bytes(path.read_bytes()[60:64], "big") <= 99


def check_writes_again(path: Path, history: VerdictHistory) -> None:
    """Write three batches; the file then holds the last two, and has no fault."""
    for batch in range(3):
        for i in range(5):
            history.add(make_verdict(LATER + 10 * batch + i))
        history.verdicts()
        history.day_bins(NOON)
        history.flush()
    assert (history.state, history.unsaved, history.lost) == ("file", 0, 0)
    history.close()
    database = sqlite3.connect(path)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rows = database.execute("SELECT content FROM verdicts ORDER BY id DESC LIMIT 10").fetchall()
    database.close()
    assert times([json.loads(content) for (content,) in rows[::-1]]) == [
        LATER + 10 * batch + i for batch in (1, 2) for i in range(5)
    ]


@pytest.mark.parametrize("fill", ["random", "zeros", "ones", "bit"])
@pytest.mark.parametrize("region", ["header", "first page", "pages", "wal"])
@pytest.mark.parametrize("seed", range(3))
def test_random_damage(seed: int, region: str, fill: str, histories: dict[str, Path], tmp_path: Path) -> None:
    """48 seeded positions: the history writes again, and keeps what it sets aside."""
    rng = random.Random(f"{seed} {region} {fill}")
    folder = histories["killed" if region == "wal" else rng.choice(["closed", "killed", "empty"])]
    for file in folder.iterdir():
        shutil.copy(file, tmp_path)
    path = tmp_path / "h.db"
    file = tmp_path / ("h.db-wal" if region == "wal" else "h.db")
    limit = {"header": HEADER_SIZE, "first page": PAGE_SIZE}.get(region, file.stat().st_size)
    offset, length = rng.randrange(limit), rng.choice([2, 16, 100, 1000, PAGE_SIZE])
    old = file.read_bytes()[offset : offset + length]
    new = {
        "random": rng.randbytes(length),
        "zeros": bytes(length),
        "ones": b"\xff" * length,
        "bit": bytes([old[0] ^ 1 << rng.randrange(8)]),
    }[fill]
    damage(file, offset, new)
    assert not claims_newer_schema(path), "choose another seed"
    size = path.stat().st_size
    check_writes_again(path, VerdictHistory(path))
    aside = tmp_path / "h.db.damaged"
    assert not aside.exists() or aside.stat().st_size >= size


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """Copy a folder temporarily."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        yield Path(copy)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["closed", "killed", "empty"]),
    in_wal=st.booleans(),
    position=st.floats(0, 1, exclude_max=True),
    content=st.binary(min_size=1, max_size=200),
    repeat=st.sampled_from([1, 1, 30]),
    is_open=st.booleans(),
)
def test_any_damage(
    histories: dict[str, Path],
    name: str,
    in_wal: bool,
    position: float,
    content: bytes,
    repeat: int,
    is_open: bool,
) -> None:
    """Any bytes anywhere, before the history is opened or while it is open."""
    with copied(histories[name]) as folder:
        path = folder / "h.db"
        history = VerdictHistory(path) if is_open else None
        if history is not None:
            history.add(make_verdict(NOON))
            history.flush()
        file = folder / ("h.db-wal" if in_wal and (folder / "h.db-wal").exists() else "h.db")
        damage(file, int(position * file.stat().st_size), content * repeat)
        assume(not claims_newer_schema(path))
        check_writes_again(path, history or VerdictHistory(path))


@pytest.mark.parametrize("size", [0, 5, 16, 60, 99, 100, 1000, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE])
@pytest.mark.parametrize("is_open", [False, True])
def test_truncated_file(size: int, is_open: bool, histories: dict[str, Path], tmp_path: Path) -> None:
    """A file of any length."""
    path = tmp_path / "h.db"
    shutil.copy(histories["closed"] / "h.db", path)
    history = VerdictHistory(path) if is_open else None
    with path.open("r+b") as file:
        file.truncate(size)
    check_writes_again(path, history or VerdictHistory(path))


def test_log_without_database(histories: dict[str, Path], tmp_path: Path) -> None:
    """The log that a killed process left is set aside, not deleted, if its database is missing."""
    shutil.copy(histories["killed"] / "h.db-wal", tmp_path)
    before = (tmp_path / "h.db-wal").read_bytes()
    check_writes_again(tmp_path / "h.db", VerdictHistory(tmp_path / "h.db"))
    assert (tmp_path / "h.db.damaged-wal").read_bytes() == before


def test_damaged_row_id(histories: dict[str, Path], tmp_path: Path) -> None:
    """A row whose ID has become huge does not make the history delete all others."""
    path = tmp_path / "h.db"
    shutil.copy(histories["closed"] / "h.db", path)
    database = sqlite3.connect(path)
    database.execute("UPDATE verdicts SET id = 9000000000000000000 WHERE id = (SELECT max(id) FROM verdicts)")
    database.commit()
    database.close()
    check_writes_again(path, VerdictHistory(path))
    kept = sqlite3.connect(tmp_path / "h.db.damaged")
    assert kept.execute("SELECT count(*) FROM verdicts").fetchone() == (N_VERDICTS,)
    kept.close()
