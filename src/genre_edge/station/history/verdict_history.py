"""`VerdictHistory`: bounded history of verdicts, in memory or in a SQLite file.

New verdicts are queued in memory, and a writer thread stores them in batches, so that `add` never waits for a disk and
a memory card wears slowly. Readers receive the rows of the database and of the queue. While the file cannot be used,
the newest verdicts stay queued and each batch retries. A file that is deleted or replaced while it is open is noticed
at the next batch; a damaged file is renamed and replaced. A file that is not a history is never changed.
"""

import json
import logging
import math
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Literal

from genre_edge.station.history.queue import MAX_PENDING, WriteBehindQueue
from genre_edge.station.history.repair import is_valid_row
from genre_edge.station.history.store import NO_GENRE, BinCounts, Row, VerdictStore, count_by_bin
from genre_edge.station.history.verdict_id import parse_time

log = logging.getLogger("genre_edge")

DAY_S = 86400

Verdict = dict[str, Any]
_ERRORS = (sqlite3.Error, OSError, MemoryError)


class VerdictHistory:
    """History of verdicts: dicts in the schema of `Verdict.to_dict`, with `time` in unix seconds. Thread-safe.

    Disk errors are logged when the state changes, and never raised.

    Args:
        path: the SQLite file; None for memory.
        limit: maximum number of verdicts; the oldest are deleted. By default 1000 in memory and 100000 in a file.
    """

    def __init__(self, path: Path | None = None, limit: int | None = None) -> None:
        self._path = path
        self._queue = WriteBehindQueue()
        self._store = VerdictStore(path, limit)
        # Held while rows move from the queue to the store, so that readers see each row once.
        self._store_lock = threading.Lock()
        self._failing = False
        self._losing = False
        self._n_lost_before = 0  # `lost` when the file began to fail
        try:
            self._store.open()
        except _ERRORS as error:
            self._report_failure(error)
        self._writer = threading.Thread(target=self._write_batches, name="history", daemon=True)
        self._writer.start()

    @property
    def state(self) -> Literal["memory", "file", "read_only", "failing"]:
        """Storage state; `failing`: the last attempt to use the file failed; `read_only`: the file can only be read."""
        if self._path is None:
            return "memory"
        if self._failing:
            return "read_only" if self._store.read_only else "failing"
        return "file"

    @property
    def unsaved(self) -> int:
        """Number of verdicts that are not in the file yet; 0 without a file."""
        return 0 if self._path is None else len(self._queue)

    @property
    def lost(self) -> int:
        """Number of verdicts discarded because the file could not be written for a long time; 0 without a file."""
        return 0 if self._path is None else self._queue.n_discarded

    def add(self, verdict: Verdict) -> None:
        """Append a verdict; does not block."""
        content = json.dumps(verdict, separators=(",", ":"), allow_nan=False)
        self._queue.append(Row(verdict["time"], verdict["genre"] or NO_GENRE, content))

    def verdicts(self, since: float = 0.0, limit: int = 1000) -> list[Verdict]:
        """Return the newest `limit` verdicts at or after `since` (unix seconds), in insertion order."""
        return [json.loads(content) for content in self.verdicts_json(since, limit)]

    def find_json(self, identifier: str, since: float = 0.0) -> list[str]:
        """Return a list of the verdict with this `id`, as JSON text; empty if there is none at or after `since`."""
        when = parse_time(identifier)
        if when is None or when < since:
            return []
        contents = self.verdicts_json(since=when, until=when)
        return [content for content in contents if json.loads(content).get("id") == identifier]

    def verdicts_json(self, since: float = 0.0, limit: int = 1000, until: float = math.inf) -> list[str]:
        """Return the same as `verdicts`, each as JSON text, and none after `until` (unix seconds)."""
        with self._store_lock:
            try:
                contents = self._store.newest(since, limit, until)
            except _ERRORS as error:
                self._report_failure(error)
                contents = []
            contents += [row.content for row in self._queue.rows() if since <= row.time <= until]
        return [content for content in contents[-limit:] if is_valid_row(content)]

    def day_bins(self, now: float | None = None) -> list[dict[str, Any]]:
        """Return the histogram of the 24 hours before `now` (unix seconds; by default the current time).

        Returns:
            The bins of `BIN_S` seconds that are not empty: `start` in unix seconds, `genres` with the number of
            verdicts by genre, and `none` with the number of verdicts without a genre.
        """
        now = time.time() if now is None else now
        with self._store_lock:
            try:
                counts = self._store.counts(now - DAY_S, now)
            except _ERRORS as error:
                self._report_failure(error)
                counts = BinCounts()
            counts.update(count_by_bin(self._queue.rows()))
        bins: dict[int, dict[str, Any]] = {}
        for (start, genre), n in sorted(counts.items()):
            if now - DAY_S < start <= now:
                day_bin = bins.setdefault(start, {"start": start, "genres": {}, "none": 0})
                if genre == NO_GENRE:
                    day_bin["none"] = n
                else:
                    day_bin["genres"][genre] = n
        return list(bins.values())

    def flush(self) -> None:
        """Write the queued verdicts now."""
        with self._store_lock:
            last_number, rows = self._queue.snapshot()
            if not rows:
                return
            try:
                self._store.write(rows)
            except _ERRORS as error:
                self._report_failure(error)
                return
            self._queue.discard_through(last_number)
            self._report_success()

    def close(self) -> None:
        """Write the queued verdicts and close the file."""
        self._queue.close()
        self._writer.join()
        self.flush()
        with self._store_lock:
            self._store.close()

    def _write_batches(self) -> None:
        with self._store_lock:
            self._store.check(self._queue.is_closed)
        while self._queue.wait_for_batch(lambda: self._failing):
            self.flush()

    def _report_failure(self, error: Exception) -> None:
        if not self._failing:
            self._n_lost_before = self.lost
            log.warning(
                "history %s: %s; keeping the newest %d verdicts in memory and retrying", self._path, error, MAX_PENDING
            )
        self._failing = True
        if self.lost > self._n_lost_before and not self._losing:
            self._losing = True
            log.warning("history %s: %d verdicts are not saved; discarding the oldest", self._path, self.unsaved)

    def _report_success(self) -> None:
        if self._failing:
            n_lost = self.lost - self._n_lost_before
            log.warning("history %s: writing again%s", self._path, f"; {n_lost} verdicts were lost" if n_lost else "")
        self._failing = self._losing = False
