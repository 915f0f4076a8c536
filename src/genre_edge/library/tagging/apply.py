"""Writing and restoring of tags: each file is replaced at once, after the journal has what its undo needs."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from genre_edge.audio.containers.file_bytes import file_peek
from genre_edge.library.database import LibraryDatabase
from genre_edge.library.tagging.audio_bytes import payload_digest
from genre_edge.library.tagging.candidates import top_three
from genre_edge.library.tagging.delta import apply_delta, make_delta
from genre_edge.library.tagging.evidence import Evidence
from genre_edge.library.tagging.formats import read_open, read_tags, write_open
from genre_edge.library.tagging.journal import APPLIED, UNDOING, UNDONE, Change, TagJournal
from genre_edge.library.tagging.plan_file import PlanEntry, join_genres
from genre_edge.library.tagging.replace import Replacement, check_replaceable, remove_leftovers
from genre_edge.library.tagging.tags import COMMENT_PREFIX, NewTags, TagError, Tags
from genre_edge.output.text import portable
from genre_edge.system.regular_file import open_regular

_READ_BYTES = 1 << 20
_DISK_FULL = errno.ENOSPC, errno.EDQUOT


@dataclass
class Outcome:
    """Numbers of files: changed, with the right tags already, and failed."""

    n_changed: int = 0
    n_unchanged: int = 0
    n_failed: int = 0


Report = Callable[["str | None"], None]


def recover(journal: TagJournal) -> None:
    """Settle what killed runs left behind: temporary files, and changes of which the journal does not know the end."""
    journal.settle(_file_digest)
    for run, folders in journal.unfinished().items():
        if all([remove_leftovers(folder) for folder in folders]):
            journal.finish(run)


def apply_plan(
    entries: list[PlanEntry],
    database: LibraryDatabase,
    journal: TagJournal,
    comment: bool,
    report: Report,
) -> Outcome:
    """Write the genres of a plan.

    Args:
        entries: the plan.
        database: has the evidence.
        journal: records the changes; `recover` comes first.
        comment: write a comment, too.
        report: is called after each file, with a message if it stays as it is.

    Raises:
        JournalError: the journal cannot be written. The files are old or new, none is damaged.
        OSError: the disk is full.
    """
    outcome = Outcome()
    run = journal.begin(Path(entry.path).resolve().parent for entry in entries)
    for entry in entries:
        with _Reported(entry.path, outcome, report):
            new = _new_tags(entry, database, comment)
            if _tag(Path(entry.path), entry.old, new, journal, run):
                outcome.n_changed += 1
            else:
                outcome.n_unchanged += 1
    journal.finish(run)
    return outcome


def undo_run(journal: TagJournal, run: int, report: Report) -> Outcome:
    """Restore the files of a run, the last one first, bit for bit.

    Args:
        journal: has the run; `recover` comes first.
        run: number of the run.
        report: as for `apply_plan`.

    Raises:
        JournalError, OSError: as for `apply_plan`.
    """
    outcome = Outcome()
    journal.reopen(run)
    for change in journal.changes(run, APPLIED):
        with _Reported(str(change.path), outcome, report):
            _restore(change, journal)
            outcome.n_changed += 1
    journal.finish(run)
    return outcome


def check_entry(entry: PlanEntry, database: LibraryDatabase) -> str | None:
    """Return the message that writing an entry would cause, as far as reading can tell; None if there is none."""
    messages: list[str | None] = []
    with _Reported(entry.path, Outcome(), messages.append):
        _new_tags(entry, database, comment=False)
        _check_genres(read_tags(Path(entry.path)), entry.old)
        check_replaceable(Path(entry.path))
    return messages[0]


def _new_tags(entry: PlanEntry, database: LibraryDatabase, comment: bool) -> NewTags:
    """Return what to write for an entry. Raises TagError if the database does not know the file."""
    row = next(database.rows("path = ?", (portable(entry.path),)), None)
    if row is None:
        raise TagError("the database has no such file; scan it, and make a new plan")
    evidence = Evidence(row.model_sha256, row.scanned_at, top_three(row), entry.new, entry.is_edited)
    scores = ", ".join(f"{name} {score:.0%}" for name, score in evidence.top)
    return NewTags(evidence, f"{COMMENT_PREFIX}{scores}" if comment else None)


def _tag(path: Path, old: str, new: NewTags, journal: TagJournal, run: int) -> bool:
    """Write the tags of a file; return False if its bytes do not change."""
    with Replacement(path) as replacement:
        original, file = replacement.original.fileno(), replacement.file.fileno()
        tags = read_open(replacement.original)
        if tags.genres == new.genres and tags.evidence == new.evidence:
            return False
        _check_genres(tags, old)
        replacement.copy_original()
        write_open(replacement.file, new)
        replacement.finish()
        if payload_digest(original) != payload_digest(file):
            raise TagError("its audio would not stay the same; the file is not changed")
        if read_open(replacement.file).genres != new.genres:
            raise TagError("its format does not keep the new genres; the file is not changed")
        digests = _digest(original), _digest(file)
        delta = make_delta(original, file)
        if _hash(apply_delta(delta, file)) != digests[0]:
            raise TagError("an undo would not restore it; the file is not changed")
        change = journal.record(run, replacement.path, digests, (tags.genres, new.genres), delta)
        replacement.commit()
        journal.set_state(change, APPLIED)
        return True


def _check_genres(tags: Tags, old: str) -> None:
    """Raise a TagError if a file's genres are not those of the plan."""
    if (found := join_genres(tags.genres)) != old:
        raise TagError(f"its genre is {found or 'empty'}, not {old or 'empty'} as in the plan; make a new plan")


def _restore(change: Change, journal: TagJournal) -> None:
    """Restore a file."""
    with Replacement(change.path) as replacement:
        original = replacement.original.fileno()
        found = _digest(original)
        if found == change.old_digest:
            journal.set_state(change.id, UNDONE)  # somebody has restored it
            return
        if found != change.new_digest:
            later = journal.later_run(change)
            hint = f"; undo run {later} first" if later is not None else ""
            raise TagError(f"the file has changed since it was tagged; it is not restored{hint}")
        for piece in apply_delta(journal.delta(change.id), original):
            replacement.file.write(piece)
        replacement.finish()
        if _digest(replacement.file.fileno()) != change.old_digest:
            raise TagError("the journal's record is damaged; the file is not restored")
        journal.set_state(change.id, UNDOING)
        replacement.commit()
        journal.set_state(change.id, UNDONE)


class _Reported:
    """Context that reports a file's error and goes on with the next one, unless the disk is full."""

    def __init__(self, path: str, outcome: Outcome, report: Report) -> None:
        self._path, self._outcome, self._report = path, outcome, report

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: object) -> bool:
        if isinstance(error, OSError):
            if error.errno in _DISK_FULL:
                raise OSError(error.errno, f"{error.strerror}; the run stops here", self._path) from None
            self._report(f"{self._path}: {error.strerror or error}")
        elif isinstance(error, TagError):
            self._report(f"{self._path}: {error}")
        else:
            if error is None:
                self._report(None)
            return False
        self._outcome.n_failed += 1
        return True


def _file_digest(path: Path) -> str:
    with open_regular(path) as file:
        return _digest(file.fileno())


def _digest(descriptor: int) -> str:
    """Return the digest of a whole open file."""
    size = os.fstat(descriptor).st_size
    peek = file_peek(descriptor, size)
    return _hash(peek(at, _READ_BYTES) for at in range(0, size, _READ_BYTES))


def _hash(pieces: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=20)
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
