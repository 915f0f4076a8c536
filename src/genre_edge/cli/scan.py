"""`genre-edge scan`: classify a music library into a database."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from genre_edge.cli.messages import print_message
from genre_edge.cli.options import ModelOption
from genre_edge.errors import AudioError, GenreEdgeError, ParameterError
from genre_edge.system import signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from genre_edge.library.changes import Changes
    from genre_edge.library.database import FileRow
    from genre_edge.library.discovery import Filter
    from genre_edge.library.scan import Scan
    from genre_edge.library.worker_process import Limits

DEFAULT_COVERAGE = 0.9  # see the measurements in docs/library.md
_DURATION = re.compile(r"(\d+)([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


def scan(
    directories: Annotated[list[Path], typer.Argument(help="Folders of music.")],
    db: Annotated[Path, typer.Option("--db", help="The library's database (SQLite); created if it does not exist.")],
    jobs: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, max=256, help="Number of processes (default: the number of cores)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is to be done, and write nothing.")] = False,
    include: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="Only files whose name or path matches this pattern, e.g. '*.flac' (repeatable)."),
    ] = None,
    exclude: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="No files whose name or path matches this pattern, e.g. '*/Podcasts/*' (repeatable)."),
    ] = None,
    since: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Only files modified since a date (2026-01-31) or in the last hours, days or weeks (7d)."),
    ] = None,
    coverage: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=1,
            help="Share of a long file to classify at most, in excerpts spread over it; 1 for all of it.",
        ),
    ] = DEFAULT_COVERAGE,
    segments: Annotated[bool, typer.Option("--segments", help="Also keep the genre of every few seconds.")] = False,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="Try files that failed before again.")] = False,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds of work on a file before it is given up.")] = 600,
    memory_limit: Annotated[int, typer.Option(min=64, help="MB of memory that a file may take.")] = 1024,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with new and changed files as they are saved, until Ctrl-C.")
    ] = False,
    model: ModelOption = "edge",
) -> None:
    """Classify a music library into a database. Unchanged files are skipped, so a scan can be repeated or resumed.

    Exit code 1 if a file fails; the other files are still classified.
    """
    from genre_edge.library.database import LibraryDatabase
    from genre_edge.library.discovery import Filter
    from genre_edge.library.scan import Scan
    from genre_edge.library.worker import ScanSettings
    from genre_edge.library.worker_process import Limits
    from genre_edge.model.prediction import Model

    bundle = Model(model).bundle  # a bad --model fails before any work
    settings = ScanSettings(model, f"{bundle.name} {bundle.version}", bundle.sha256, coverage, segments)
    chosen = Filter(include or [], exclude or [], _since_ns(since))
    if dry_run and not db.exists():
        db = Path(":memory:")
    signals.raise_interrupt()
    with LibraryDatabase(db) as database:
        scanner = _Scanner(chosen, jobs or os.cpu_count() or 1, Limits(time_limit, memory_limit << 20))
        this = Scan(database, directories, settings, retry_errors)
        changes = scanner.plan(this)
        if dry_run:
            _print_plan(changes)
            return
        n_classified = scanner.run(this, changes)
        print(_summary(changes, n_classified, scanner.n_failed), flush=True)
        if watch:
            _watch(scanner, this, directories, db)
    raise typer.Exit(1 if scanner.n_failed else 0)


class _Scanner:
    """Runs scans, shows their progress and prints their messages.

    Attributes:
        n_failed: number of files and folders that failed.
    """

    def __init__(self, chosen: Filter, n_workers: int, limits: Limits) -> None:
        self._chosen, self._n_workers, self._limits = chosen, n_workers, limits
        self.n_failed = 0

    def plan(self, this: Scan) -> Changes:
        """Find the files of a scan, and return what is to be done. Roots that do not exist are errors."""
        from genre_edge.library.discovery import FolderError, FoundFile, discover

        found, is_partial = [], self._chosen.is_partial
        for item in discover(this.roots, self._chosen):
            if isinstance(item, FoundFile):
                found.append(item)
            else:
                self.n_failed += 1
                is_partial |= isinstance(item, FolderError)
                print_message(item)
        return this.plan(found, is_partial)

    def plan_part(self, this: Scan) -> Changes:
        """Find the files of a scan whose roots have just changed. Some may be gone, and new folders empty."""
        from genre_edge.library.discovery import FoundFile, discover

        found, is_partial = [], self._chosen.is_partial
        for item in discover((root for root in this.roots if os.path.lexists(root)), self._chosen):
            if isinstance(item, FoundFile):
                found.append(item)
            else:
                is_partial = True
        return this.plan(found, is_partial)

    def run(self, this: Scan, changes: Changes) -> int:
        """Do what is to be done; return the number of classified files."""
        this.apply(changes)
        n_classified = 0
        with _progress(len(changes.classify)) as advance:
            for row in this.classify(changes.classify, self._n_workers, self._limits):
                advance(row)
                n_classified += 1
                if row.error is not None:
                    self.n_failed += 1
                    print_message(AudioError(f"{row.path}: {row.error}"))
                elif row.warning is not None:
                    print_message(GenreEdgeError(f"{row.path}: {row.warning}"))
        return n_classified


def _watch(scanner: _Scanner, this: Scan, directories: list[Path], db: Path) -> None:
    """Scan what changes until a signal ends the program, which is the normal end."""
    from genre_edge.library.watching import steady_changes

    try:
        for paths in steady_changes(directories, db):
            part = replace(this, roots=sorted(paths)) if paths else this
            changes = scanner.plan_part(part)
            n_failed = scanner.n_failed
            n_classified = scanner.run(part, changes)
            if n_classified or changes.moved or changes.gone or changes.returned or changes.touched:
                print(_summary(changes, n_classified, scanner.n_failed - n_failed), flush=True)
    except KeyboardInterrupt:
        raise typer.Exit from None


def _since_ns(text: str | None) -> int:
    """Return the time of a date or of so many hours, days or weeks ago, in ns; 0 if there is none."""
    if text is None:
        return 0
    if duration := _DURATION.fullmatch(text):
        return time.time_ns() - int(timedelta(hours=int(duration[1]) * _HOURS[duration[2]]).total_seconds() * 1e9)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1e9)
    except ValueError:
        raise ParameterError(f"--since must be a date, as 2026-01-31, or 12h, 7d or 2w, got {text!r}") from None


def _print_plan(changes: Changes) -> None:
    for file in changes.classify:
        print(f"classify {file.path}")
    for old, file in changes.moved:
        print(f"moved {old} -> {file.path}")
    for path in changes.gone:
        print(f"gone {path}")
    print(
        f"{len(changes.classify)} to classify, {len(changes.moved)} moved, {len(changes.gone)} gone, "
        f"{changes.n_unchanged + len(changes.touched) + len(changes.returned)} unchanged"
    )


def _summary(changes: Changes, n_classified: int, n_failed: int) -> str:
    n_unchanged = changes.n_unchanged + len(changes.touched) + len(changes.returned)
    return (
        f"{n_classified} classified, {len(changes.moved)} moved, {len(changes.gone)} gone, {n_unchanged} unchanged, "
        f"{n_failed} failed"
    )


@contextmanager
def _progress(n_files: int) -> Iterator[Callable[[FileRow], None]]:
    """Show a progress bar on stderr, if it is a terminal: files, hours of audio, rate, time left, failures."""
    if not n_files or not sys.stderr.isatty():
        yield lambda row: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[hours]:.1f} h of audio, {task.fields[rate]:.0f}x real time"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    started, seconds, failed = time.monotonic(), 0.0, 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=n_files, hours=0.0, rate=0.0, failed=0)

        def advance(row: FileRow) -> None:
            nonlocal seconds, failed
            seconds += row.classified_s or 0.0
            failed += row.error is not None
            rate = seconds / max(1e-3, time.monotonic() - started)
            bar.update(task, advance=1, hours=seconds / 3600, rate=rate, failed=failed)

        yield advance
