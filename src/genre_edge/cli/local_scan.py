"""The scan of `genre-edge scan` on this computer: its messages, its progress, and how it goes on with --watch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from genre_edge.cli.messages import print_message
from genre_edge.cli.progress import progress_bar
from genre_edge.errors import AudioError, GenreEdgeError
from genre_edge.library.changes import Changes
from genre_edge.library.discovery import EmptyFolderError, Filter, FolderError, FoundFile, discover
from genre_edge.library.scan import Scan
from genre_edge.library.watching import SteadyChanges, steady_changes
from genre_edge.library.worker_process import Limits


class LocalScanner:
    """Runs a scan, shows its progress and prints its messages.

    Attributes:
        n_failed: number of files and folders that failed.
    """

    def __init__(self, scan: Scan, chosen: Filter, jobs: int | None, limits: Limits) -> None:
        self._scan, self._chosen = scan, chosen
        self._n_workers, self._limits = jobs or os.cpu_count() or 1, limits
        self._reported: set[str] = set()
        self.n_failed = 0

    def scan(self, dry_run: bool) -> None:
        """Scan the folders, and print a summary; or only print what is to be done."""
        changes = self._plan(self._scan)
        if dry_run:
            _print_plan(changes)
        else:
            n_classified = self._run(self._scan, changes)
            print(_summary(changes, n_classified, self.n_failed), flush=True)

    def watch(self, folders: Sequence[Path], db: Path) -> None:
        """Scan what changes in the folders until a signal raises KeyboardInterrupt."""
        for changed in steady_changes(folders, db):
            self._scan_changed(changed)

    def _scan_changed(self, changed: SteadyChanges) -> None:
        """Scan what has changed, but not the files that still change, and print a summary of what was done."""
        part = replace(self._scan, roots=sorted(changed.paths)) if changed.paths else self._scan
        n_failed = self.n_failed
        changes = self._plan(part)
        changes.classify = [file for file in changes.classify if file.path not in changed.pending]
        n_classified = self._run(part, changes)
        if n_classified or changes.moved or changes.gone or changes.returned or changes.touched:
            print(_summary(changes, n_classified, self.n_failed - n_failed), flush=True)

    def _plan(self, this: Scan) -> Changes:
        """Find the files of a scan, print what cannot be searched, and return what is to be done.

        Args:
            this: the scan of all folders, or of paths in them that have changed: some may be gone, or empty folders.
        """
        is_part = this is not self._scan
        roots = [root for root in this.roots if not is_part or os.path.lexists(root)]
        found, is_partial = [], self._chosen.is_partial
        for item in discover(roots, self._chosen):
            if isinstance(item, FoundFile):
                found.append(item)
            elif not (is_part and isinstance(item, EmptyFolderError)):
                is_partial |= isinstance(item, FolderError)
                self._report(item)
        if is_part:  # a folder that has just gone, such as a network share, has not lost its files
            is_partial |= not all(map(os.path.isdir, self._scan.roots))
        return this.plan(found, is_partial)

    def _report(self, error: AudioError) -> None:
        """Count and print an error, unless an earlier comparison of the files has found it."""
        if str(error) not in self._reported:
            self._reported.add(str(error))
            self.n_failed += 1
            print_message(error)

    def _run(self, scan: Scan, changes: Changes) -> int:
        """Do what is to be done; return the number of classified files."""
        scan.apply(changes)
        n_classified = 0
        with progress_bar(len(changes.classify)) as advance:
            for row in scan.classify(changes.classify, self._n_workers, self._limits):
                advance(1, row.duration_s or 0.0, int(row.error is not None))
                n_classified += 1
                if row.error is not None:
                    self.n_failed += 1
                    print_message(AudioError(f"{row.path}: {row.error}"))
                elif row.warning is not None:
                    print_message(GenreEdgeError(f"{row.path}: {row.warning}"))
        return n_classified


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
