"""The distribution of batches: failures go to other workers, unusable workers get nothing, nothing waits for ever."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from genre_edge.errors import GenreEdgeError
from genre_edge.library.cluster import dispatch
from genre_edge.library.cluster.batches import Batch
from genre_edge.library.cluster.client import LostResultError
from genre_edge.library.cluster.dispatch import ATTEMPTS, BatchError, Dispatcher
from genre_edge.library.cluster.results import ResultFolder
from genre_edge.library.cluster.task import BatchResult, Outcome, check_worker
from genre_edge.library.discovery import FoundFile
from genre_edge.library.worker import ScanSettings
from genre_edge.library.worker_process import Limits

SETTINGS = ScanSettings("edge", "edge 6", "ab" * 32)
LIMITS = Limits(600, 1 << 30)
BATCHES = [
    Batch(f"part-{i:02d}.parquet", (FoundFile(f"/music/{i}.mp3", 1, 1), FoundFile(f"/music/{i}.ogg", 1, 1)))
    for i in range(20)
]


@dataclass(eq=False)
class Task:
    """A future of the cluster below, and the arguments of its task."""

    function: Any
    arguments: tuple[Any, ...]
    workers: list[str]
    key: str | None


@dataclass
class OwnCluster:
    """A cluster whose idlest worker is always the first one that may do a task, as one that fails at once is.

    Attributes:
        workers: names of the workers.
        unusable: workers that fail the check.
        do: function from a worker, a batch and whether it is the last attempt, to what the worker returns.
        elsewhere: workers that write into another folder.
        n_losses: number of results that are lost.
        n_idle: how often nothing was done, one after another.
    """

    out: Path
    workers: list[str]
    unusable: set[str] = field(default_factory=set)
    do: Callable[[str, Batch, bool], Any] = lambda worker, batch, is_last: BatchResult(batch.name, 2, (), 1.0)
    elsewhere: set[str] = field(default_factory=set)
    n_losses: int = 0
    n_idle: int = 0
    tasks: list[Task] = field(default_factory=list)
    address: str = "tcp://scheduler:8786"

    def n_threads(self) -> dict[str, int]:
        return dict.fromkeys(self.workers, 1)

    def submit(self, function: Any, *arguments: Any, workers: Collection[str], key: str | None = None) -> Task:
        task = Task(function, arguments, sorted(workers), key)
        self.tasks.append(task)
        return task

    def is_done(self, task: Task) -> bool:
        return self._worker(task) is not None

    def _worker(self, task: Task) -> str | None:
        return next((worker for worker in self.workers if worker in task.workers), None)

    def done(self, futures: Iterable[Task]) -> list[Task]:
        done = [task for task in futures if self.is_done(task)]
        self.n_idle = 0 if done else self.n_idle + 1
        assert self.n_idle < 100, "tasks that no worker does"
        return done

    def result(self, task: Task) -> Any:
        worker = self._worker(task)
        assert worker is not None
        if task.function is check_worker:
            return GenreEdgeError("no model") if worker in self.unusable else None
        if self.n_losses:
            self.n_losses -= 1
            raise LostResultError
        result = self.do(worker, task.arguments[0], task.arguments[-1])
        if isinstance(result, CrashError):
            return result
        if isinstance(result, BatchResult) and worker not in self.elsewhere:
            (self.out / result.name).touch()
        return Outcome(worker, result)


class CrashError(GenreEdgeError):
    """In place of a result if a task raises an exception, which has no address of a worker."""


def run(cluster: OwnCluster, limits: Limits = LIMITS) -> list[BatchResult | BatchError]:
    out = ResultFolder(str(cluster.out))
    return list(Dispatcher(cluster, SETTINGS, limits, out).run(BATCHES))  # type: ignore[arg-type]


def names(results: Iterable[Any]) -> list[str]:
    return sorted(result.name for result in results)


ALL = names(BATCHES)


def test_run_yields_each_batch_once(tmp_path: Path) -> None:
    assert names(run(OwnCluster(tmp_path, ["a", "b"]))) == ALL


def test_run_without_batches(tmp_path: Path) -> None:
    """Nothing is waited for, also if there are no workers."""
    out = ResultFolder(str(tmp_path))
    assert list(Dispatcher(OwnCluster(tmp_path, []), SETTINGS, LIMITS, out).run([])) == []  # type: ignore[arg-type]


def test_run_unusable_worker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker without the model gets no batch, and is named once."""
    cluster = OwnCluster(tmp_path, ["bad", "good"], unusable={"bad"})
    assert names(run(cluster)) == ALL
    assert all(task.workers == ["good"] for task in cluster.tasks if task.key is not None)
    assert caplog.messages == ["bad: no model; this worker gets no files"]


def test_run_worker_ends_during_check(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker without genre-edge ends when it gets a task; its machine is named once, and costs no batch."""
    cluster = OwnCluster(tmp_path, ["tcp://pi:1", "tcp://good:1"])
    n_ended = 0

    def submit(function: Any, *arguments: Any, workers: Collection[str], key: str | None = None) -> Task:
        nonlocal n_ended
        task = OwnCluster.submit(cluster, function, *arguments, workers=workers, key=key)
        if f"tcp://pi:{n_ended + 1}" in workers:
            n_ended += 1
            cluster.workers = [f"tcp://pi:{n_ended + 1}", "tcp://good:1"][n_ended > 3 :]
        return task

    cluster.submit = submit  # type: ignore[method-assign]
    assert names(run(cluster)) == ALL and n_ended > 1
    assert all(task.workers == ["tcp://good:1"] for task in cluster.tasks if task.key is not None)
    assert caplog.messages == [
        "tcp://pi:1: this worker ended during its check; is the same version of genre-edge there?"
    ]


def test_run_no_usable_worker(tmp_path: Path) -> None:
    with pytest.raises(GenreEdgeError, match=r"^tcp://scheduler:8786: no worker can do the scan$"):
        run(OwnCluster(tmp_path, ["a", "b"], unusable={"a", "b"}))


def test_run_other_worker_after_failure(tmp_path: Path) -> None:
    """A worker that fails all batches at once, as one without the share does, costs none of them."""

    def do(worker: str, batch: Batch, is_last: bool) -> Any:
        return GenreEdgeError("no such file") if worker in "ab" else BatchResult(batch.name, 2, (), 1.0)

    assert names(run(OwnCluster(tmp_path, ["a", "b", "c"], do=do))) == ALL


def test_run_last_attempt(tmp_path: Path) -> None:
    """After the last attempt, a batch that failed counts with all of its files, and its message names them."""
    attempts: list[bool] = []

    def do(worker: str, batch: Batch, is_last: bool) -> Any:
        if batch is BATCHES[3]:
            attempts.append(is_last)
            return GenreEdgeError("the disk is full")
        return BatchResult(batch.name, 2, (), 1.0)

    (error,) = (result for result in run(OwnCluster(tmp_path, ["a"], do=do)) if isinstance(result, BatchError))
    assert attempts == [False] * (ATTEMPTS - 1) + [True]
    assert error.n_files == 2 and str(error) == "/music/3.mp3 and 1 more files: the disk is full"


def test_run_exception(tmp_path: Path) -> None:
    """A batch whose task raises, or has killed several workers, fails; the others are done."""
    results = run(
        OwnCluster(
            tmp_path,
            ["a"],
            do=lambda worker, batch, is_last: (
                CrashError("KilledWorker") if batch is BATCHES[0] else BatchResult(batch.name, 2, (), 1.0)
            ),
        )
    )
    assert [type(result) for result in results].count(BatchError) == 1 and len(results) == len(BATCHES)


def test_run_other_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A worker whose folder of the results is not the client's is found out, and its batches are done by others."""

    assert names(run(OwnCluster(tmp_path, ["a", "b"], elsewhere={"a"}))) == ALL
    assert {path.name for path in tmp_path.iterdir()} == set(ALL)
    assert any("is another one than this computer's" in message for message in caplog.messages)


def test_run_folder_goes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """If the folder of the results is gone on this computer, the scan ends, and no worker is blamed."""
    cluster = OwnCluster(tmp_path / "out", ["a", "b"], elsewhere={"a", "b"})
    with pytest.raises(GenreEdgeError, match=f"^{tmp_path}/out: No such file or directory$"):
        run(cluster)
    assert not caplog.messages


def test_run_worker_goes_and_another_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Batches of workers that are gone are given to new ones; meanwhile one message says that there are none."""
    cluster = OwnCluster(tmp_path, ["old"])
    n_sleeps = 0

    def sleep(_: float) -> None:
        nonlocal n_sleeps
        n_sleeps += 1
        if n_sleeps == 3:
            cluster.workers = ["new"]

    def submit(function: Any, *arguments: Any, workers: Collection[str], key: str | None = None) -> Task:
        task = OwnCluster.submit(cluster, function, *arguments, workers=workers, key=key)
        if key is not None and "old" in workers:
            cluster.workers = []
        return task

    monkeypatch.setattr(dispatch.time, "sleep", sleep)
    cluster.submit = submit  # type: ignore[method-assign]
    assert names(run(cluster)) == ALL
    assert [message for message in caplog.messages if "has no worker" in message] == [
        "tcp://scheduler:8786: the Dask scheduler has no worker; the scan goes on when it has one"
    ]


def test_run_lost_result(tmp_path: Path) -> None:
    """A result that is lost with its worker is waited for again."""
    assert names(run(OwnCluster(tmp_path, ["a"], n_losses=5))) == ALL


def test_run_limits_of_submitted_batches(tmp_path: Path) -> None:
    """At most three batches for each thread are submitted before one is done."""
    cluster = OwnCluster(tmp_path, ["a", "b"])
    out = ResultFolder(str(tmp_path))
    next(Dispatcher(cluster, SETTINGS, LIMITS, out).run(BATCHES))  # type: ignore[arg-type]
    assert sum(task.key is not None for task in cluster.tasks) == 6


def test_keys_differ_between_scans(tmp_path: Path) -> None:
    """Two scans at a time with other folders, limits or settings share no task; the same scan twice shares all."""
    keys = []
    for folder, limits, settings in (
        ("a", LIMITS, SETTINGS),
        ("a", LIMITS, SETTINGS),
        ("b", LIMITS, SETTINGS),
        ("a", Limits(1, 1), SETTINGS),
        ("a", LIMITS, replace(SETTINGS, model="/models/edge")),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        cluster = OwnCluster(tmp_path / folder, ["a"])
        out = ResultFolder(str(tmp_path / folder))
        list(Dispatcher(cluster, settings, limits, out).run(BATCHES))  # type: ignore[arg-type]
        keys.append(frozenset(task.key for task in cluster.tasks if task.key is not None))
    assert keys[0] == keys[1] and len(set(keys)) == 4
    assert not keys[0] & keys[2] and not keys[0] & keys[3] and not keys[0] & keys[4]
