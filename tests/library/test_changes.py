"""What a scan has to do, from the files and the rows."""

from genre_edge.library.changes import compare
from genre_edge.library.database import FileRow
from genre_edge.library.discovery import FoundFile


def row(path: str, size: int = 10, mtime_ns: int = 1, digest: str | None = "a", **values: str) -> FileRow:
    return FileRow(path, size, mtime_ns, digest, "t", "edge 5", values.pop("model_sha256", "m"), 1.0, **values)  # type: ignore[arg-type]


def run(found: list[FoundFile], rows: list[FileRow], digests: dict[str, str] | None = None) -> dict[str, object]:
    """Return the parts of the changes that are not empty; files are given by their paths."""
    asked: list[str] = []

    def digest(path: str) -> str | None:
        asked.append(path)
        return (digests or {}).get(path)

    changes = compare(found, rows, lambda r: r.model_sha256 == "m", lambda path: path.startswith("/music/"), digest)
    result = {
        "classify": [f.path for f in changes.classify],
        "moved": [(old, f.path) for old, f in changes.moved],
        "touched": [f.path for f in changes.touched],
        "returned": changes.returned,
        "gone": changes.gone,
        "n_unchanged": changes.n_unchanged,
        "asked": asked,
    }
    return {name: value for name, value in result.items() if value}


def file(path: str, size: int = 10, mtime_ns: int = 1) -> FoundFile:
    return FoundFile(path, size, mtime_ns)


def test_new_and_unchanged() -> None:
    """No file is read to decide that nothing is to be done."""
    assert run([file("/music/a"), file("/music/b")], [row("/music/a")]) == {"classify": ["/music/b"], "n_unchanged": 1}


def test_other_model() -> None:
    assert run([file("/music/a")], [row("/music/a", model_sha256="old")]) == {"classify": ["/music/a"]}


def test_changed_audio_and_changed_tags() -> None:
    """A file with another time is read: with the same audio, only the row's time changes."""
    files = [file("/music/a", mtime_ns=2), file("/music/b", 11)]
    found = run(files, [row("/music/a"), row("/music/b")], {"/music/a": "a", "/music/b": "other"})
    assert found == {"touched": ["/music/a"], "classify": ["/music/b"], "asked": ["/music/a", "/music/b"]}


def test_moved() -> None:
    """A missing file's row goes to a new file with the same audio; one copy of two stays."""
    rows = [row("/music/old"), row("/music/stays")]
    files = [file("/music/new"), file("/music/stays"), file("/music/copy")]
    found = run(files, rows, {"/music/new": "a", "/music/copy": "a"})
    assert found == {
        "moved": [("/music/old", "/music/new")],
        "classify": ["/music/copy"],
        "n_unchanged": 1,
        "asked": ["/music/new", "/music/copy"],
    }


def test_moved_rows_without_digest_or_of_another_model() -> None:
    rows = [row("/music/x", digest=None), row("/music/y", model_sha256="old")]
    found = run([file("/music/new")], rows, {"/music/new": "a"})
    assert found == {"classify": ["/music/new"], "gone": ["/music/x", "/music/y"]}


def test_gone_and_returned() -> None:
    """Only paths below a scanned folder are missing; those that are known to be missing are not said again."""
    rows = [row("/music/a"), row("/music/b", gone_at="t"), row("/music/c", gone_at="t"), row("/other/d")]
    assert run([file("/music/c")], rows) == {"gone": ["/music/a"], "returned": ["/music/c"]}
