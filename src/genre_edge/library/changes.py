"""What a scan has to do: new, changed, moved and missing files, from what is found and what the database knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from genre_edge.library.database import FileRow
from genre_edge.library.discovery import FoundFile

Digest = Callable[[str], str | None]


@dataclass
class Changes:
    """Files by what a scan does with them.

    Attributes:
        classify: new files, and those whose audio, model or coverage is another one than in the database.
        moved: (old path, file): the row of a missing file gets another path.
        touched: files whose audio is unchanged, but not their tags or time of modification.
        returned: paths that were missing and are there again, unchanged.
        gone: paths that are missing.
        n_unchanged: number of files that need nothing.
    """

    classify: list[FoundFile] = field(default_factory=list)
    moved: list[tuple[str, FoundFile]] = field(default_factory=list)
    touched: list[FoundFile] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    n_unchanged: int = 0


def compare(
    found: Iterable[FoundFile],
    known: Iterable[FileRow],
    is_current: Callable[[FileRow], bool],
    is_missing: Callable[[str], bool],
    digest: Digest,
) -> Changes:
    """Return what a scan has to do.

    Args:
        found: the files that are there.
        known: the rows of the database.
        is_current: whether a row's result is what this scan would compute from the same audio.
        is_missing: whether a path that was not found should have been, because it is below a scanned folder.
        digest: returns the digest of a file's audio, or None. It is asked only of files that may be moved or touched.
    """
    rows = {row.path: row for row in known}
    changes, new = Changes(), []
    for file in found:
        row = rows.pop(file.path, None)
        if row is None:
            new.append(file)
        elif not is_current(row):
            changes.classify.append(file)
        elif (row.size, row.mtime_ns) == (file.size, file.mtime_ns):
            if row.gone_at is None:
                changes.n_unchanged += 1
            else:
                changes.returned.append(file.path)
        elif row.audio_digest is not None and digest(file.path) == row.audio_digest:
            changes.touched.append(file)
        else:
            changes.classify.append(file)
    missing = {path: row for path, row in rows.items() if is_missing(path)}
    _find_moved(new, missing, is_current, digest, changes)
    changes.gone = [path for path, row in missing.items() if row.gone_at is None]
    return changes


def _find_moved(
    new: list[FoundFile],
    missing: dict[str, FileRow],
    is_current: Callable[[FileRow], bool],
    digest: Digest,
    changes: Changes,
) -> None:
    """Assign each new file to `moved`, with the missing file of the same audio, which is removed, or to `classify`."""
    by_size: dict[int, set[str | None]] = {}
    by_digest: dict[str, list[str]] = {}
    for path, row in missing.items():
        if row.audio_digest is not None and is_current(row):
            by_size.setdefault(row.size, set()).add(row.audio_digest)
            by_digest.setdefault(row.audio_digest, []).append(path)
    for file in new:
        known = by_digest.get(digest(file.path) or "", []) if file.size in by_size else []
        if known:
            old = known.pop()
            del missing[old]
            changes.moved.append((old, file))
        else:
            changes.classify.append(file)
