"""`genre-edge scan`: classify a music library into a database."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Optional

import typer

from genre_edge.cli.options import ModelOption
from genre_edge.errors import ParameterError
from genre_edge.system import signals

DEFAULT_COVERAGE = 0.9  # see the measurements in docs/library.md
_DURATION = re.compile(r"(\d+)([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}


def scan(
    directories: Annotated[
        list[str], typer.Argument(metavar="DIRECTORIES...", help="Folders of music; with --scheduler also URLs.")
    ],
    db: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--db", help="The library's database (SQLite); created if it does not exist."),
    ] = None,
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
        bool, typer.Option("--watch", help="Go on with files as they are saved, until Ctrl-C; compare all each hour.")
    ] = False,
    scheduler: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="ADDRESS", help="Let the workers of a Dask scheduler scan, e.g. tcp://192.168.1.5:8786."),
    ] = None,
    out: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="FOLDER", help="With --scheduler: folder or URL for the results, as Parquet files."),
    ] = None,
    model: ModelOption = "edge",
) -> None:
    """Classify a music library into a database. Unchanged files are skipped, so a scan can be repeated or resumed.

    Exit code 1 if a file fails; the other files are still classified.
    """
    from genre_edge.library.discovery import Filter
    from genre_edge.library.worker import ScanSettings
    from genre_edge.library.worker_process import Limits
    from genre_edge.model.prediction import Model

    only_local = {"--db": db is not None, "--watch": watch, "--segments": segments, "--dry-run": dry_run}
    _check_options(scheduler, out, db, only_local | {"--retry-errors": retry_errors, "--jobs": jobs is not None})
    if watch:
        from genre_edge.library.watching import require_folders, require_watchfiles

        require_watchfiles()
        require_folders(directories)
    bundle = Model(model).bundle  # a bad --model fails before any work
    thresholds = bundle.threshold, bundle.style_threshold
    settings = ScanSettings(model, f"{bundle.name} {bundle.version}", bundle.sha256, coverage, segments, *thresholds)
    chosen = Filter(include or [], exclude or [], _since_ns(since))
    limits = Limits(time_limit, memory_limit << 20)
    signals.raise_interrupt()
    if scheduler is not None and out is not None:
        from genre_edge.cli.cluster_scan import scan_on_cluster

        n_failed = scan_on_cluster(scheduler, directories, chosen, settings, limits, out)
    elif db is not None:
        from genre_edge.audio.ffmpeg.url import redact_url
        from genre_edge.cli.local_scan import LocalScanner
        from genre_edge.library.database import LibraryDatabase
        from genre_edge.library.scan import Scan

        if urls := [directory for directory in directories if "://" in directory]:
            raise ParameterError(f"{redact_url(urls[0])}: a URL needs --scheduler and --out")
        folders = [Path(directory) for directory in directories]
        file = Path(":memory:") if dry_run and not db.exists() else db
        with _signal_is_end(watch), LibraryDatabase(file) as database:
            scanner = LocalScanner(Scan(database, folders, settings, retry_errors), chosen, jobs, limits)
            scanner.scan(dry_run)
            if watch:
                scanner.watch(folders, db)
        n_failed = scanner.n_failed
    raise typer.Exit(1 if n_failed else 0)


@contextmanager
def _signal_is_end(is_normal: bool) -> Iterator[None]:
    """Exit with code 0 at Ctrl-C or SIGTERM if that is the normal end."""
    try:
        yield
    except KeyboardInterrupt:
        if is_normal:
            raise typer.Exit from None
        raise


def _check_options(scheduler: str | None, out: str | None, db: Path | None, only_local: dict[str, bool]) -> None:
    """Raise a ParameterError unless the options are those of a scan on this computer, or of one on a cluster."""
    if scheduler is None and out is not None:
        raise ParameterError("--out needs --scheduler")
    if scheduler is None and db is None:
        raise ParameterError("--db is needed, or --scheduler and --out")
    if only_local["--watch"] and only_local["--dry-run"]:
        raise ParameterError("--watch and --dry-run exclude each other")
    if scheduler is not None:
        if out is None:
            raise ParameterError("--scheduler needs --out")
        for name in (name for name, is_given in only_local.items() if is_given):
            raise ParameterError(f"{name} is not available with --scheduler")


def _since_ns(text: str | None) -> int:
    """Return the time of a date or of so many hours, days or weeks ago, in ns; 0 if there is none."""
    if text is None:
        return 0
    try:
        if duration := _DURATION.fullmatch(text):
            hours = int(duration[1]) * _HOURS[duration[2]]
            return time.time_ns() - int(timedelta(hours=hours).total_seconds() * 1e9)
        return int(datetime.fromisoformat(text).timestamp() * 1e9)
    except (ValueError, OverflowError):
        raise ParameterError(f"--since must be a date, as 2026-01-31, or 12h, 7d or 2w, got {text!r}") from None
