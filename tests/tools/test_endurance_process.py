"""`genre-edge stream` as a process: signals at any moment, and a restricted read-only system."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import TIMEOUT_S
from tests.helpers.audio import music
from tests.helpers.live import RATE, RadioServer, ffmpeg_pids, wav_response
from tests.helpers.station import eventually
from tools.endurance.process_usage import ProcessUsage

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")

FORMAT = f"s16le:{RATE}:1"
STREAM = [sys.executable, "-m", "genre_edge", "stream", "-", "--raw", FORMAT, "--interval", "1", "--top", "1"]
MOMENTS = int(os.environ.get("GENRE_EDGE_MOMENTS", "20"))  # 200 before a release


@pytest.fixture(scope="module", autouse=True)
def interrupts() -> Iterator[None]:
    """Restore SIGINT's default: children inherit an ignored SIGINT from tests that run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def pcm() -> bytes:
    """Return a minute of audio as `FORMAT`."""
    return (32767 * music(60, RATE)).astype("<i2").tobytes()


class Streaming:
    """Run `genre-edge stream -` with endless input, or `stream URL`; a context manager."""

    def __init__(self, pcm: bytes, url: str | None = None) -> None:
        command = STREAM if url is None else [*STREAM[:4], url, *STREAM[7:]]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.first_line = b"", threading.Event()
        self._threads = [threading.Thread(target=self._feed, args=(pcm,)), threading.Thread(target=self._read)]
        for thread in self._threads:
            thread.start()

    def _feed(self, pcm: bytes) -> None:
        pipe = self.process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError), pipe:
            while True:
                pipe.write(pcm)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.out += line
            self.first_line.set()

    def wait_for_signal_handlers(self) -> None:
        """Wait until Python has started and genre-edge has replaced Python's handler of SIGINT.

        The time without a handler is short and may be missed; the first verdict comes after it.
        """
        for caught in (True, False):
            while self._catches_interrupt() != caught and not self._is_ready_or_dead():
                time.sleep(0.001)

    def _is_ready_or_dead(self) -> bool:
        return self.first_line.is_set() or self.process.poll() is not None

    def _catches_interrupt(self) -> bool:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return bool(int(status.split("SigCgt:")[1].split()[0], 16) & 1 << signal.SIGINT - 1)

    def end_by(self, number: int) -> float:
        """Send a signal, wait for the end, and return the seconds without those spent waiting for a processor."""
        sent_s, waited_s = time.monotonic(), self._waited_s()
        self.process.send_signal(number)
        while os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            assert time.monotonic() < sent_s + TIMEOUT_S
            time.sleep(0.002)
        took_s = time.monotonic() - sent_s - (self._waited_s() - waited_s)
        self.process.wait()
        return took_s

    def _waited_s(self) -> float:
        """Return how long the main thread was runnable without a processor."""
        try:
            return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[1]) / 1e9
        except OSError:  # the kernel does not count it
            return 0.0

    def __enter__(self) -> "Streaming":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        assert self.process.stderr is not None
        with self.process.stderr:
            self.errors = self.process.stderr.read()


@dataclass(frozen=True)
class Ending:
    """End of a process; `started` is true if it had printed a verdict."""

    started: bool
    took_s: float
    code: int
    out: bytes
    errors: bytes


def run_and_interrupt(moment: int, pcm: bytes) -> Ending:
    """Send a signal at a random time, with seed `moment`; three of ten during start-up.

    Every second process streams a radio.
    """
    if moment % 2 == 0 or shutil.which("ffmpeg") is None:
        return _signal_at_random_time(random.Random(moment), Streaming(pcm))
    server = RadioServer(radio)
    try:
        end = _signal_at_random_time(random.Random(moment), Streaming(pcm, server.url))
        eventually(lambda: not _processes_with(server.url))  # ffmpeg ends although the server keeps the connection open
    finally:
        server.close()
    return end


def _processes_with(word: str) -> list[Path]:
    """Return the /proc files of the processes with `word` in their command line."""
    paths = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes():
                paths.append(path)
    return paths


def _signal_at_random_time(rng: random.Random, streaming: Streaming) -> Ending:
    with streaming:
        if rng.random() < 0.3:
            streaming.wait_for_signal_handlers()
        else:
            assert streaming.first_line.wait(TIMEOUT_S)
        time.sleep(rng.uniform(0, 0.3))
        started = streaming.first_line.is_set()
        took_s = streaming.end_by(rng.choice([signal.SIGINT, signal.SIGTERM]))
    return Ending(started, took_s, streaming.process.returncode, streaming.out, streaming.errors)


@pytest.mark.slow
def test_signal_at_any_moment_leaves_complete_lines(pcm: bytes) -> None:
    """SIGINT and SIGTERM at random times leave complete JSON lines on stdout and nothing on stderr."""
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda moment: run_and_interrupt(moment, pcm), range(MOMENTS)))
    for end in ends:
        assert end.errors == b""
        # genre-edge ends itself by SIGALRM after `GRACE_S`; on a busy machine, `took_s` may be short even then.
        assert end.code in (0, -signal.SIGALRM) or (end.code in (-signal.SIGINT, -signal.SIGTERM) and not end.started)
        assert end.out.endswith(b"\n") or (end.out == b"" and not end.started)
        for line in end.out.splitlines():
            assert json.loads(line)["schema_version"] == 2
    assert 0 < sum(end.started for end in ends) < MOMENTS
    print(f"{MOMENTS} moments, the slowest end took {max(end.took_s for end in ends):.2f} s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ignored_signal_stays_ignored(number: int, pcm: bytes) -> None:
    """A signal that the parent process ignores, as nohup or a background job does, does not end the stream."""
    before = signal.signal(number, signal.SIG_IGN)  # children inherit it
    try:
        streaming = Streaming(pcm)
    finally:
        signal.signal(number, before)
    with streaming:
        assert streaming.first_line.wait(TIMEOUT_S)
        streaming.process.send_signal(number)
        n_received = len(streaming.out)
        while len(streaming.out) < n_received + 100_000:
            assert streaming.process.poll() is None
            time.sleep(0.01)
        streaming.end_by(signal.SIGTERM)
    assert (streaming.process.returncode, streaming.errors) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_closes_json_array_of_classify(number: int, song: Path) -> None:
    """A signal while `classify` waits for stdin closes the JSON array and gives exit code 130."""
    command = [sys.executable, "-m", "genre_edge", "classify", song, "-", "--raw", FORMAT, "--format", "json"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        opening = process.stdout.readline()
        process.send_signal(number)  # while the process reads stdin
        (verdict,) = json.loads(opening + process.stdout.read())
        assert process.stderr.read() == b""
    assert verdict["source"] == str(song) and process.returncode == 130


def radio(caller: socket.socket) -> None:
    """Send a minute of audio at once, then stall."""
    wav_response(60)(caller)
    caller.recv(1)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_ffmpeg(number: int) -> None:
    """A signal ends `stream URL` with exit code 0 and its ffmpeg with it."""
    server = RadioServer(radio)
    command = [*STREAM[:4], server.url, "--interval", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        json.loads(process.stdout.readline())
        (ffmpeg,) = ffmpeg_pids(process.pid)
        process.send_signal(number)
        lines = process.stdout.read().splitlines()
        process.wait(timeout=TIMEOUT_S)
        assert (process.returncode, process.stderr.read()) == (0, b"")
    server.close()
    assert all(json.loads(line)["source"] == server.url for line in lines)
    assert not Path(f"/proc/{ffmpeg}").exists()


# Keeps only the capability to read all files (Python may be in root's home).
NOBODY = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--bounding-set=-all,+dac_read_search"]
NOBODY += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"]
READ_ONLY = (
    "for place in $(findmnt -rno TARGET -t nosysfs,noproc,nocgroup,nocgroup2,nodevtmpfs,nodevpts); do "
    'mount -o remount,bind,ro "$place" || exit 99; done; exec "$@"'
)
JAIL = ["unshare", "--mount", "--net", "sh", "-c", READ_ONLY, "sh", "setpriv", *NOBODY]


@pytest.fixture(scope="module")
def jail() -> list[str]:
    """Return a command prefix: user nobody, read-only file systems, no network."""
    probe = "cd /tmp; touch genre-edge-probe 2>/dev/null && exit 98; id -u; ls /sys/class/net"
    try:
        done = subprocess.run([*JAIL, "sh", "-c", probe], capture_output=True, text=True, timeout=TIMEOUT_S)
    except FileNotFoundError as error:
        pytest.skip(f"{error.filename} is not installed")
    if done.returncode:
        pytest.skip(f"this user or system cannot make a jail: {done.stderr.strip()}")
    assert done.stdout.split()[0] == "65534"
    return JAIL


def test_stream_runs_in_jail_without_network(jail: list[str], pcm: bytes) -> None:
    """As user nobody on a read-only system without network, `stream -` gives the same verdicts."""

    def verdicts(command: list[str]) -> list[dict]:
        done = subprocess.run(command, input=pcm, capture_output=True, timeout=TIMEOUT_S, cwd="/")
        assert (done.returncode, done.stderr) == (0, b"")
        results = [json.loads(line) for line in done.stdout.splitlines()]
        for verdict in results:
            del verdict["lag_ms"]
        return results

    free = verdicts(STREAM)
    assert len(free) > 20
    assert verdicts([*jail, *STREAM]) == free


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not in PATH")
def test_stream_url_runs_in_read_only_jail(jail: list[str]) -> None:
    """As user nobody on a read-only system, `stream URL` gives verdicts and writes nothing."""
    server = RadioServer(radio)
    command = [*(word for word in jail if word != "--net"), *STREAM[:4], server.url, "--interval", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        for _ in range(10):
            assert json.loads(process.stdout.readline() or process.stderr.read())["source"] == server.url
        (ffmpeg,) = ffmpeg_pids(process.pid)
        assert ProcessUsage.read(process.pid).written_bytes == ProcessUsage.read(ffmpeg).written_bytes == 0
        process.terminate()
    server.close()


@pytest.mark.slow
def test_stream_writes_nothing_to_disks(pcm: bytes) -> None:
    """More than an hour of audio is processed without a byte written to storage after the start."""
    with Streaming(pcm) as streaming:
        assert streaming.first_line.wait(TIMEOUT_S)
        start = ProcessUsage.read(streaming.process.pid)
        while streaming.out.count(b"\n") < 3000:  # more than an hour of audio
            time.sleep(0.01)
        usage = ProcessUsage.read(streaming.process.pid)
    assert usage.written_bytes == start.written_bytes
    assert usage.cpu_s > start.cpu_s
