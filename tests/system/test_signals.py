"""signals: handlers of termination signals, also in a library that calls back into Python."""

from tests.helpers.audio import run_python


def test_deferred_runs_handler_afterwards() -> None:
    """A handler runs after the context, in which the call is complete, and stays installed."""
    program = """
import os, signal, time
from genre_edge.system import signals

signals.raise_interrupt()
try:
    with signals.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        print("complete")
    print("not reached")
except KeyboardInterrupt:
    print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""
    done = run_python(program)
    assert (done.stdout, done.stderr) == ("complete\ninterrupted True\n", "")
