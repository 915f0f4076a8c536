"""`genre-edge tag`: genres into the tags of a library's files, with a plan first and an undo."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge.cli.messages import print_message
from genre_edge.cli.options import DatabaseOption, VocabularyName, VocabularyOption
from genre_edge.cli.progress import progress_bar

if TYPE_CHECKING:
    from genre_edge.cli.progress import Advance
    from genre_edge.library.database import LibraryDatabase
    from genre_edge.library.tagging.apply import Outcome, Report
    from genre_edge.library.tagging.journal import TagJournal
    from genre_edge.library.tagging.plan import PlanSummary
    from genre_edge.library.tagging.plan_file import PlanEntry

tag = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Write genres into the tags of music files: plan, apply, undo.",
)


class Unit(str, Enum):
    """What gets its own genres."""

    file = "file"
    album = "album"


JournalOption = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option(metavar="PATH", help="Journal of the changes (default: the database's path and .tags)."),
]
PlanArgument = Annotated[Path, typer.Argument(metavar="PLAN", help="File of genre-edge tag plan, edited or not.")]


@tag.command()
def plan(
    db: DatabaseOption,
    out: Annotated[Path, typer.Option(metavar="PLAN", help="File for the plan.")],
    force: Annotated[
        bool,
        typer.Option(
            "--force/--keep-existing",
            help="Also replace genres that somebody set. By default, only those of genre-edge are replaced.",
        ),
    ] = False,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Probability that each genre must have.")] = 0.1,
    top: Annotated[int, typer.Option(min=1, help="Number of genres of a file at most, best first.")] = 1,
    per: Annotated[Unit, typer.Option(help="album: the files of an album vote for the genres of all.")] = Unit.file,
    whitelist: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Write only the names in this file, one a line."),
    ] = None,
    mapping: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Own names, one a line, such as: techno = Electronic."),
    ] = None,
    vocabulary: VocabularyOption = VocabularyName.genres,
) -> None:
    """Write a plan: which genres would change in a library's files, and why. It is a text that you can edit.

    No file of the library is changed. Exit code 1 if the tags of a file cannot be read.
    """
    from genre_edge.library.database import LibraryDatabase
    from genre_edge.library.tagging.formats import require_mutagen
    from genre_edge.library.tagging.names import NameRules, read_mapping, read_whitelist
    from genre_edge.library.tagging.plan import PlanOptions, PlanSummary, make_plan
    from genre_edge.library.tagging.plan_file import format_plan
    from genre_edge.system.atomic_write import write_atomically

    require_mutagen()
    names = NameRules(read_mapping(mapping) if mapping else {}, read_whitelist(whitelist) if whitelist else None)
    options = PlanOptions(force, min_confidence, top, per is Unit.album, vocabulary.value, names)
    summary = PlanSummary()
    with LibraryDatabase(db, must_exist=True) as database:
        entries = list(make_plan(database, options, summary))
    lines = format_plan(entries, [f"database: {db}", *_notes(summary)])
    write_atomically(out, "".join(lines).encode())
    for message in summary.errors:
        print_message(message)
    print(f"{out}: {_count(len(entries))} to tag")
    for note in _notes(summary):
        print(note)
    raise typer.Exit(1 if summary.errors else 0)


@tag.command()
def apply(
    plan: PlanArgument,
    db: DatabaseOption,
    journal: JournalOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the files and list what would change.")] = False,
    comment: Annotated[
        bool,
        typer.Option(
            "--comment", help="Also write the scores into the comment, for DJ software; a user's own is kept."
        ),
    ] = False,
) -> None:
    """Write the genres of a plan. Audio, other tags, permissions and times of the files stay as they are.

    Exit code 1 if a file cannot be tagged; the others are.
    """
    from genre_edge.library.database import LibraryDatabase
    from genre_edge.library.tagging.apply import apply_plan
    from genre_edge.library.tagging.formats import require_mutagen
    from genre_edge.library.tagging.plan_file import read_plan

    require_mutagen()
    entries = read_plan(plan)
    with LibraryDatabase(db, must_exist=True) as database:
        if dry_run:
            raise typer.Exit(_list_changes(entries, database))
        with _journal(db, journal) as opened, progress_bar(len(entries), has_audio=False) as advance:
            outcome = apply_plan(entries, database, opened, comment, _reporter(advance))
    _print_outcome("tagged", outcome)


@tag.command()
def undo(
    db: DatabaseOption,
    run: Annotated[
        Optional[int],  # noqa: UP045
        typer.Argument(metavar="[RUN]", help="Number of a run, as listed by genre-edge tag runs (default: the last)."),
    ] = None,
    journal: JournalOption = None,
) -> None:
    """Take back a run of apply: its files become what they were, bit for bit.

    Exit code 1 if a file has changed since, and stays as it is; the others are restored.
    """
    from genre_edge.errors import ParameterError
    from genre_edge.library.tagging.apply import undo_run

    with _journal(db, journal, must_exist=True) as opened:
        runs = list(opened.runs())
        chosen = [each for each in runs if each.id == run or (run is None and each.n_applied)]
        if not chosen:
            number = "no run to undo" if run is None else f"no run {run}"
            raise ParameterError(f"{opened.path}: {number}; genre-edge tag runs lists them")
        with progress_bar(chosen[-1].n_applied, has_audio=False) as advance:
            outcome = undo_run(opened, chosen[-1].id, _reporter(advance))
    _print_outcome("restored", outcome)


@tag.command()
def runs(db: DatabaseOption, journal: JournalOption = None) -> None:
    """List the runs of apply: number, start, and how many files are tagged and how many restored."""
    with _journal(db, journal, must_exist=True) as opened:
        print(f"{'run':>5}  {'started':<25}  {'tagged':>8}  {'restored':>8}")
        for run in opened.runs():
            print(f"{run.id:>5}  {run.started_at:<25}  {run.n_applied:>8}  {run.n_undone:>8}")


@contextmanager
def _journal(db: Path, path: Path | None, must_exist: bool = False) -> "Iterator[TagJournal]":
    """Open the journal and finish what killed runs left behind; termination signals let the command clean up."""
    from genre_edge.library.tagging.apply import recover
    from genre_edge.library.tagging.journal import SUFFIX, TagJournal
    from genre_edge.system.signals import raise_interrupt

    raise_interrupt()
    with TagJournal(path or db.with_name(db.name + SUFFIX), must_exist) as journal:
        recover(journal)
        yield journal


def _list_changes(entries: "list[PlanEntry]", database: "LibraryDatabase") -> int:
    """Print what applying a plan would change; return the exit code."""
    from genre_edge.library.tagging.apply import check_entry
    from genre_edge.output.text import printable

    n_failed = 0
    for entry in entries:
        if message := check_entry(entry, database):
            print_message(message)
            n_failed += 1
        else:
            print(printable(f"{entry.old or '-'} -> {'; '.join(entry.new)}  {entry.path}"))
    return 1 if n_failed else 0


def _reporter(advance: "Advance") -> "Report":
    """Return a function that counts a file, and prints a message if there is one."""

    def report(message: str | None) -> None:
        if message is not None:
            print_message(message)
        advance(n_failed=int(message is not None))

    return report


def _notes(summary: "PlanSummary") -> list[str]:
    return [f"left out: {_count(n)} {reason}" for reason, n in sorted(summary.skipped.items())]


def _print_outcome(done: str, outcome: "Outcome") -> None:
    parts = [f"{_count(outcome.n_changed)} {done}"]
    if outcome.n_unchanged:
        parts.append(f"{outcome.n_unchanged} had these tags already")
    if outcome.n_failed:
        parts.append(f"{outcome.n_failed} failed")
    print(", ".join(parts))
    raise typer.Exit(1 if outcome.n_failed else 0)


def _count(n: int) -> str:
    return "1 file" if n == 1 else f"{n} files"
