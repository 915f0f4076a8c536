"""Progress bar of commands that work on many files."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Function that counts files that are done, their seconds of audio, and how many of them failed."""

    def __call__(self, n_files: int = 1, seconds: float = 0.0, n_failed: int = 0) -> None: ...


@contextmanager
def progress_bar(n_files: int | None, has_audio: bool = True) -> Iterator[Advance]:
    """Show a progress bar on stderr, if it is a terminal: files, hours of audio, rate, time left, failures.

    Args:
        n_files: number of files; None if it is unknown.
        has_audio: whether the hours of audio and their rate are shown.
    """
    if n_files == 0 or not sys.stderr.isatty():
        yield lambda n_files=1, seconds=0.0, n_failed=0: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    audio = [TextColumn("{task.fields[hours]:.1f} h of audio, {task.fields[rate]:.0f}x real time")] if has_audio else []
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        *audio,
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    started, all_seconds, all_failed = time.monotonic(), 0.0, 0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=n_files, hours=0.0, rate=0.0, failed=0)

        def advance(n_files: int = 1, seconds: float = 0.0, n_failed: int = 0) -> None:
            nonlocal all_seconds, all_failed
            all_seconds += seconds
            all_failed += n_failed
            rate = all_seconds / max(1e-3, time.monotonic() - started)
            bar.update(task, advance=n_files, hours=all_seconds / 3600, rate=rate, failed=all_failed)

        yield advance
