"""The scan by Dask workers: equal to the local one, whatever happens to a worker, and exactly once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import pytest
import soundfile
from distributed import LocalCluster
from pyarrow import parquet

from genre_edge.cli.cluster_scan import BATCH_FILES
from genre_edge.model.bundle import bundle_path
from tests.conftest import TIMEOUT_S, Cli
from tests.helpers.audio import music
from tools.library import cluster_load

MODEL = "nano"


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """Two worker processes."""
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "120s", "distributed.admin.tick.limit": "60s"}),
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as started,
    ):
        yield started


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty short songs in four formats, two bad files, and a name that is not UTF-8."""
    folder = tmp_path_factory.mktemp("cluster") / "music"
    for i in range(40):
        name = folder / f"album {i % 4}" / f"{i:02d}.{('wav', 'flac', 'ogg', 'mp3')[i % 4]}"
        name.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(name, music(3, 22050, seed=i), 22050)
    (folder / "text.mp3").write_text("no audio")
    (folder / "empty.flac").touch()
    (folder / os.fsdecode(b"\xff.wav")).write_bytes((folder / "album 0" / "00.wav").read_bytes())
    return folder


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of all partitions by path, without the time of the scan; each path must be there once."""
    rows = [row for path in sorted(folder.glob("*.parquet")) for row in parquet.read_table(path).to_pylist()]
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: {key: value for key, value in row.items() if key != "scanned_at"} for row in rows}


@pytest.fixture(scope="module")
def local_rows(library: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The rows of a scan on this computer, by the export."""
    folder = tmp_path_factory.mktemp("local")
    command = [sys.executable, "-m", "genre_edge"]
    subprocess.run([*command, "scan", library, "--db", folder / "a.db", "--model", MODEL], stderr=subprocess.DEVNULL)
    export = [*command, "export", "--db", folder / "a.db", "--format", "parquet", "--out", folder / "a.parquet"]
    subprocess.run(export, check=True)
    return read(folder)


@pytest.mark.slow
def test_rows_equal_local_ones(
    cli: Cli, cluster: LocalCluster, library: Path, local_rows: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """Bad files are rows with an error and one message each; a second scan computes nothing; no other file is left."""
    command = ("scan", library, "--scheduler", cluster.scheduler_address, "--out", tmp_path / "out", "--model", MODEL)
    done = cli(*command)
    assert (done.returncode, done.stdout) == (1, "43 classified, 0 unchanged, 2 failed\n")
    assert sorted(done.stderr.splitlines()) == [
        f"genre-edge: {library}/empty.flac: the file is empty",
        f"genre-edge: {library}/text.mp3: not an audio file that can be read",
    ]
    assert read(tmp_path / "out") == local_rows
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert all(name.endswith(".parquet") for name in before)
    assert cli(*command).stdout == "0 classified, 43 unchanged, 0 failed\n"
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.slow
def test_killed_worker(
    cli: Cli, cluster: LocalCluster, library: Path, local_rows: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    """A Dask worker that is killed in the middle of its work costs no row and doubles none."""
    killed: list[int] = []

    def kill() -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline_s and not killed:
            for worker in list(cluster.workers.values()):
                if worker.pid and scanners(worker.pid):
                    os.kill(worker.pid, signal.SIGKILL)
                    killed.append(worker.pid)
                    return
            time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    # Another coverage, so that the workers start processes for it.
    options = ("--out", tmp_path / "out", "--model", MODEL, "--coverage", 1)
    done = cli("scan", library, "--scheduler", cluster.scheduler_address, *options)
    thread.join()
    assert killed and done.returncode == 1, done
    rows = read(tmp_path / "out")
    assert rows == {path: row | {"coverage": 1.0} for path, row in local_rows.items()}


def scanners(pid: int) -> list[str]:
    """Return the scanning processes that a Dask worker has started."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        return [child for children in lists for child in children.split() if is_scanner(child)]
    except OSError:
        return []


def is_scanner(pid: str) -> bool:
    return b"worker_process" in Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.slow
def test_bucket(
    cli: Cli, library: Path, local_rows: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and results in a bucket: the same rows, with URLs as paths; a bad file is a row there, too."""
    moto_server = pytest.importorskip("moto.server", reason="moto is missing: it is the bucket")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is missing: it reads buckets")
    server = moto_server.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in (options | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}).items():
        monkeypatch.setenv(name, value)
    try:
        fs = s3fs.S3FileSystem(skip_instance_cache=True)
        fs.mkdir("songs")
        keys = {name: name for name in ("album 0/00.wav", "album 1/01.flac", "album 3/03.mp3", "text.mp3")}
        keys |= {"/no name.wav": "album 0/04.wav", "a::b?c#d.flac": "album 1/05.flac"}  # the first has an empty folder
        for key, name in keys.items():
            fs.call_s3("put_object", Bucket="songs", Key=key, Body=(library / name).read_bytes())
        with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as started:
            command = ("scan", "s3://songs", "--scheduler", started.scheduler_address, "--out", "s3://songs/results")
            done = cli(*command, "--model", MODEL)
            assert (done.returncode, done.stdout) == (1, "6 classified, 0 unchanged, 1 failed\n"), done
            assert done.stderr == "genre-edge: s3://songs/text.mp3: not an audio file that can be read\n"
            assert cli(*command, "--model", MODEL).stdout == "0 classified, 6 unchanged, 0 failed\n"
        fs.invalidate_cache()
        fs.get("songs/results/", str(tmp_path), recursive=True)
    finally:
        server.stop()
    rows = read(tmp_path)
    own = ("path", "mtime_ns")
    assert {url: {k: v for k, v in row.items() if k not in own} for url, row in rows.items()} == {
        f"s3://songs/{key}": {k: v for k, v in local_rows[str(library / name)].items() if k not in own}
        for key, name in keys.items()
    }


@pytest.mark.slow
def test_relative_paths(cli: Cli, cluster: LocalCluster, library: Path, tmp_path: Path) -> None:
    """Relative paths of music, model and results belong to the current directory of the command, not of the workers."""
    (tmp_path / "album 0").symlink_to(library / "album 0")
    (tmp_path / "model").symlink_to(bundle_path(MODEL))
    command = ("scan", "album 0", "--scheduler", cluster.scheduler_address, "--out", "a/out", "--model", "model")
    assert cli(*command, cwd=tmp_path).stdout == "10 classified, 0 unchanged, 0 failed\n"
    assert len(read(tmp_path / "a" / "out")) == 10
    assert cli(*command, cwd=tmp_path).stdout == "0 classified, 10 unchanged, 0 failed\n"


@pytest.mark.slow
def test_file_that_workers_cannot_read(cli: Cli, cluster: LocalCluster, library: Path, tmp_path: Path) -> None:
    """It is a row with an error until a later scan can read it; songs beside it have their rows."""
    music, out = folder_of_one_batch(tmp_path, "link.wav", "real/00.wav", "real/04.wav"), tmp_path / "out"
    (music / "real").mkdir(parents=True)
    for name in ("album 0/00.wav", "album 0/04.wav"):
        shutil.copy(library / name, music / "real")
    link = music / "link.wav"
    link.symlink_to("/proc/self/cwd/song.wav")  # the command has such a file in its current directory, workers do not
    shutil.copy(library / "album 0" / "08.wav", tmp_path / "song.wav")
    command = ("scan", music, "--scheduler", cluster.scheduler_address, "--out", out, "--model", MODEL)
    for _ in range(2):
        done = cli(*command, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "3 classified, 0 unchanged, 1 failed\n")
        assert done.stderr == f"genre-edge: {link}: No such file or directory\n"
        assert [path.name.split("-")[0] for path in out.iterdir()] == ["retry"]
        errors = {path: row["error"] for path, row in read(out).items()}
        assert errors.pop(str(link)) == "No such file or directory" and set(errors.values()) == {None}
    link.unlink()
    link.symlink_to(tmp_path / "song.wav")
    done = cli(*command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "3 classified, 0 unchanged, 0 failed\n")
    assert [path.name.split("-")[0] for path in out.iterdir()] == ["part"]
    assert {row["error"] for row in read(out).values()} == {None}
    assert cli(*command, cwd=tmp_path).stdout == "0 classified, 3 unchanged, 0 failed\n"


def folder_of_one_batch(parent: Path, *names: str) -> Path:
    """Return a folder in which files with these names make one batch: batches end at the checksums of some paths."""
    for number in range(100):
        folder = parent / f"music {number}"
        paths = [os.fsencode(folder / name) for name in names]
        if all(zlib.crc32(path) % BATCH_FILES for path in paths):
            return folder
    raise AssertionError("all of 100 folders have a path at which a batch ends")


@pytest.mark.slow
def test_worker_without_genre_edge(cli: Cli, cluster: LocalCluster, library: Path, tmp_path: Path) -> None:
    """A worker that cannot even load a task, at which it ends, costs no file."""
    program = "import sys; sys.modules['genre_edge'] = None\nfrom distributed.cli.dask_worker import main; main()"
    options = ("--no-nanny", "--no-dashboard", "--nthreads", "4", "--local-directory", str(tmp_path))
    worker = subprocess.Popen(
        [sys.executable, "-c", program, cluster.scheduler_address, *options], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: len(cluster.scheduler_info["workers"]) == 3)
        out = ("--out", tmp_path / "out", "--model", MODEL)
        done = cli("scan", library / "album 1", "--scheduler", cluster.scheduler_address, *out)
    finally:
        worker.kill()
        worker.wait()
    assert (done.returncode, done.stdout) == (0, "10 classified, 0 unchanged, 0 failed\n")
    assert len(read(tmp_path / "out")) == 10


@pytest.mark.slow
def test_scheduler_that_dies(tmp_path: Path) -> None:
    """It ends the scan with one line; the partitions that are there stay."""
    cluster_load.write_songs(tmp_path / "music", 300)
    file = tmp_path / "scheduler.json"
    options = ("--scheduler-file", str(file), "--no-dashboard")
    worker_options = ("--nworkers", "1", "--nthreads", "1", "--local-directory", str(tmp_path))
    with (
        cluster_load.dask("scheduler", "--host", "127.0.0.1", "--port", "0", *options) as scheduler,
        cluster_load.dask("worker", *options, *worker_options),
    ):
        wait_until(file.exists)
        address = json.loads(file.read_text())["address"]
        arguments = ["scan", tmp_path / "music", "--scheduler", address, "--out", tmp_path / "out", "--model", MODEL]
        command = [sys.executable, "-m", "genre_edge", *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as scan:
            wait_until(lambda: list((tmp_path / "out").glob("part-*")) or scan.poll() is not None)
            scheduler.kill()
            printed, messages = scan.communicate(timeout=TIMEOUT_S)
    assert (scan.returncode, printed) == (1, "")
    assert messages.splitlines() == [
        f"genre-edge: {address}: the connection to the Dask scheduler is lost; run the command again to go on"
    ]


def wait_until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
