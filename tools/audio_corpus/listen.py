"""What genre-edge hears of a file, in a child process that may crash or hang."""

import logging
import multiprocessing
import os
import signal
import traceback
import warnings
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from genre_edge.audio.files import open_file
from genre_edge.errors import AudioError

LIMIT_S = 60.0
_FORK = multiprocessing.get_context("fork")  # the modules are imported already


@dataclass
class Outcome:
    """What happened with a file.

    Attributes:
        heard_s: seconds of audio in the blocks of the source.
        messages: warnings in the log.
        error: message of the AudioError; None if there was none.
        failure: a crash, a hang, an unexpected exception or a Python warning; None if there was none.
    """

    heard_s: float = 0.0
    messages: list[str] = field(default_factory=list)
    error: str | None = None
    failure: str | None = None


class _Collector(logging.Handler):
    """Collect the messages of the log."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__()
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())


def read(path: Path) -> Outcome:
    """Read a file to its end in this process."""
    outcome = Outcome()
    collector = _Collector(outcome.messages)
    log = logging.getLogger("genre_edge")
    log.addHandler(collector)
    try:
        with warnings.catch_warnings(record=True) as caught, open_file(path) as source:
            warnings.simplefilter("always")
            for block in source.blocks():
                outcome.heard_s += len(block.samples) / block.rate
    except AudioError as error:
        outcome.error = str(error)
    except Exception:
        outcome.failure = traceback.format_exc(limit=-2)
    finally:
        log.removeHandler(collector)
    if caught and not outcome.failure:
        outcome.failure = f"Python warning: {caught[0].message}"
    return outcome


def discard_output() -> None:
    """Discard what libsndfile and libmpg123 print, as the command line does."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


def _read_and_send(path: Path, connection: Connection, has_ffmpeg: bool) -> None:
    if not has_ffmpeg:
        os.environ["PATH"] = ""
    os.setsid()  # so that ffmpeg can be killed with this process
    discard_output()
    connection.send(read(path))


def listen(path: Path, limit_s: float = LIMIT_S, has_ffmpeg: bool = True) -> Outcome:
    """Read a file to its end in a child process; a crash or more than `limit_s` seconds is a failure.

    Without `has_ffmpeg`, the child finds no ffmpeg.
    """
    receiver, sender = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=_read_and_send, args=(path, sender, has_ffmpeg))
    child.start()
    sender.close()
    try:
        if not receiver.poll(limit_s):
            return Outcome(failure=f"no result after {limit_s:.0f} s")
        outcome: Outcome = receiver.recv()
        return outcome
    except EOFError:
        child.join()
        return Outcome(failure=f"crashed with exit code {child.exitcode}")
    finally:
        receiver.close()
        _end(child)


def _end(child: "multiprocessing.context.ForkProcess") -> None:
    """Kill a child and its children."""
    assert child.pid is not None
    child.join(1)
    if child.is_alive():
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:  # not yet the leader of its group
            child.kill()
        child.join()
