"""Worker processes: results, failures, limits, and what remains after the pool."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from genre_edge.library.pool import Pool
from genre_edge.library.worker_process import Failure, Limits, StartError
from genre_edge.system import process
from tests.conftest import TIMEOUT_S
from tests.helpers.station import eventually

LIMITS = Limits(60, 512 << 20)


def do(task: str) -> str:
    """Do what the task says."""
    name, _, argument = task.partition(" ")
    if name == "sleep":
        time.sleep(float(argument))
    elif name == "die":
        os.kill(os.getpid(), int(argument))
    elif name == "exit":
        os._exit(int(argument))
    elif name == "once":  # die unless the file exists
        path = Path(argument)
        if not path.exists():
            path.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    elif name == "take":
        return str(len(bytearray(int(argument) << 20)))
    elif name == "keep":
        memory = bytearray(int(argument) << 20)
        time.sleep(600)
        return str(len(memory))
    elif name == "child":
        subprocess.Popen(["sleep", "600"])
        Path(argument).write_text(str(os.getpid()))
        time.sleep(600)
    return f"{task} done"


def start() -> Callable[[str], str]:
    return do


def start_badly(ending: str, argument: str) -> Callable[[str], str]:
    """Fail as a worker's start may: "raise" an error, "exit", or exit "once", unless a file exists."""
    path = Path(argument)
    if ending == "raise":
        raise OSError(28, "No space left on device")
    if ending == "exit" or not path.exists():
        path.touch()
        os._exit(3)
    return do


def results(tasks: list[str], n_workers: int = 2, limits: Limits = LIMITS) -> dict[str, str | Failure]:
    with Pool(start, n_workers, limits) as pool:
        return dict(pool.run(tasks))


def test_all_tasks_have_results() -> None:
    tasks = [f"task {i}" for i in range(20)]
    assert results(tasks, 3) == {task: f"{task} done" for task in tasks}
    assert results([]) == {}


def test_dead_worker_costs_its_task_alone() -> None:
    """A task that kills its worker twice fails with the reason; all others are done."""
    found = results(["a", f"die {signal.SIGSEGV:d}", "b", "exit 3", "c"])
    assert {task: found[task] for task in "abc"} == {task: f"{task} done" for task in "abc"}
    assert found["die 11"] == Failure("the worker process died (SIGSEGV)", True)
    assert found["exit 3"] == Failure("the worker process died (exit code 3)", True)


def test_workers_stay() -> None:
    """The next tasks find the workers of the first ones, and those that died replaced."""
    with Pool(start, 2, LIMITS) as pool:
        for _ in range(3):
            assert dict(pool.run(["a", "b"])) == {"a": "a done", "b": "b done"}
        workers = [worker._process.pid for worker in pool._workers]
        assert len(workers) <= 2
        assert isinstance(dict(pool.run([f"die {signal.SIGKILL:d}"]))[f"die {signal.SIGKILL:d}"], Failure)
        assert dict(pool.run(["a", "b"])) == {"a": "a done", "b": "b done"}


def test_second_attempt(tmp_path: Path) -> None:
    """A task whose worker dies once is done by the next worker."""
    task = f"once {tmp_path / 'file'}"
    assert results([task]) == {task: f"{task} done"}


@pytest.mark.parametrize(
    ("ending", "reason"),
    [("raise", r"OSError: \[Errno 28\] No space left on device"), ("exit", r"the worker process died \(exit code 3\)")],
)
def test_failed_start(ending: str, reason: str, tmp_path: Path) -> None:
    """A worker that cannot start ends the run, as it is not the fault of the task."""
    start = partial(start_badly, ending, str(tmp_path / "file"))
    with Pool(start, 2, LIMITS) as pool, pytest.raises(StartError, match=f"cannot be started: {reason}"):
        list(pool.run(["a", "b", "c"]))


def test_failed_start_once(tmp_path: Path) -> None:
    """The task of a worker that dies at its start gets another worker."""
    with Pool(partial(start_badly, "once", str(tmp_path / "file")), 1, LIMITS) as pool:
        assert dict(pool.run(["a", "b"])) == {"a": "a done", "b": "b done"}


def test_missing_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the program that cannot be started."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with Pool(start, 1, LIMITS) as pool, pytest.raises(StartError, match=f"cannot be started: .*{tmp_path}/python"):
        list(pool.run(["a"]))


@pytest.mark.parametrize("flags", [[], ["-I"]], ids=["default", "isolated"])
def test_modules_of_workers(flags: list[str], tmp_path: Path) -> None:
    """Workers import what their parent does: nothing from the current directory, and from paths with a colon."""
    music, modules = tmp_path / "music", tmp_path / "a:b"
    music.mkdir()
    for name in ("ctypes", "socket", "soundfile", "sitecustomize"):
        (music / f"{name}.py").write_text("raise SystemExit(f'{__file__} is imported')")
    modules.mkdir()
    (modules / "own.py").write_text("def start(): return str.upper")
    program = f"""
import sys
sys.path[:] = {[*filter(None, sys.path), str(modules)]!r}
import own
from genre_edge.library.pool import Pool
from genre_edge.library.worker_process import Limits
with Pool(own.start, 1, Limits(60, 512 << 20)) as pool:
    print(dict(pool.run(["a"])))
"""
    environment = os.environ | ({"PYTHONPATH": str(music)} if flags else {})
    command = [sys.executable, *flags, "-c", program]
    done = subprocess.run(command, cwd=music, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert (done.stdout, done.stderr) == ("{'a': 'A'}\n", "")


def test_time_limit() -> None:
    found = results(["sleep 600", "a"], limits=Limits(1, 512 << 20))
    assert found == {"sleep 600": Failure("no result after 1 s"), "a": "a done"}


def test_memory_limit() -> None:
    """A task that takes too much fails as its function or its process does; a smaller one succeeds."""
    found = results(["take 2000", "take 10"], limits=Limits(60, 200 << 20))
    assert isinstance(found["take 2000"], Failure) and found["take 10"] == str(10 << 20)


def start_without_proc() -> Callable[[str], str]:
    process._PROC = Path("/nowhere")
    return do


def test_memory_limit_without_proc() -> None:
    """Where the kernel enforces no limit, the task fails with the same reason, and the others are done."""
    code = (
        "from tests.library.test_pool import *\n"
        "with Pool(start_without_proc, 1, Limits(120, 200 << 20)) as pool:\n"
        "    found = dict(pool.run(['keep 400', 'take 10']))\n"
        "assert found == {'keep 400': Failure('the limit of memory is reached'), 'take 10': str(10 << 20)}, found"
    )
    # From a small process: on Linux, a new process has the peak memory of the one that started it.
    subprocess.run(["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code], check=True, timeout=TIMEOUT_S)


@pytest.mark.parametrize("ending", ["limit", "close"])
def test_children_of_workers_end(ending: str, tmp_path: Path) -> None:
    """The time limit and the end of the pool kill a worker's children, too."""
    note = tmp_path / "pid"
    if ending == "limit":
        results([f"child {note}"], limits=Limits(3, 512 << 20))
    else:
        with Pool(start, 2, LIMITS) as pool:
            assert next(pool.run([f"child {note}", "a"]))[0] == "a"
            eventually(lambda: note.exists() and bool(note.read_text()), 60)
    eventually(lambda: not group_members(int(note.read_text())), 60)


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    """Workers of a killed process end, even in the middle of a task."""
    note = tmp_path / "pid"
    code = f"from tests.library.test_pool import results\nresults(['child {note}'])"
    parent = subprocess.Popen([sys.executable, "-c", code])
    eventually(lambda: note.exists() and bool(note.read_text()), 120)
    parent.kill()
    parent.wait()
    worker = int(note.read_text())
    eventually(lambda: worker not in group_members(worker), 60)
    os.killpg(worker, signal.SIGKILL)  # the `sleep` that the task started


def group_members(group: int) -> list[int]:
    """Return the processes of a group that are not zombies."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, pgrp = folder.joinpath("stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            found.append(int(folder.name))
    return found
