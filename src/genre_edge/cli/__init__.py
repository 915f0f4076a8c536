"""The command line: one module a command. Heavy modules are imported inside the commands, so `--help` is quick."""

import io
import logging
import os
import sys

import typer

from genre_edge.cli import bench, classify, devices, doctor, models, serve, spectrogram, stream
from genre_edge.errors import GenreEdgeError

app = typer.Typer(
    name="genre-edge",
    help="Hears the genre of music, offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"genre-edge {version('genre-edge')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


app.command()(classify.classify)
app.command()(stream.stream)
app.command()(serve.serve)
app.command()(spectrogram.spectrogram)
app.command()(models.models)
app.command()(devices.devices)
app.command()(doctor.doctor)
app.command()(bench.bench)


def _fail(text: object, code: int) -> int:
    from genre_edge.output.text import one_line

    print(f"genre-edge: {one_line(str(text))}", file=sys.stderr)
    return code


def _run() -> int:
    """Exit codes: 0 all done, 1 some inputs failed, 2 wrong usage, 3 a live source has gone for good."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
        return 0
    except GenreEdgeError as error:
        return _fail(error, error.exit_code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _write_no_more()  # the reader has gone, as with `| head`
        return 1
    except OSError as error:
        _write_no_more()  # it may be standard output that is full
        return _fail(error, 1)


def _write_no_more() -> None:
    """What standard output still holds goes nowhere, at exit neither."""
    _lead_nowhere(sys.stdout.fileno())


def _lead_nowhere(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)


def _open_standard_streams() -> None:
    """Where a parent closed one of them, the first files that we open would take its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _lead_nowhere(number)
            # Whoever replaces such a stream must not close its number with it.
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name that the terminal's encoding lacks


def _silence_libraries() -> None:
    """Keep stderr for our own lines: TensorFlow Lite greets there, and libmpg123 tells its troubles."""
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    _lead_nowhere(2)


class _OneLine(logging.Formatter):
    """Messages tell of names that others gave: of files, sound cards, servers."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        from genre_edge.output.text import one_line

        return one_line(super().formatMessage(record))


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("genre-edge: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)


def main() -> None:
    """Entry point of `genre-edge`."""
    _open_standard_streams()
    _silence_libraries()
    _log_to_stderr()
    sys.exit(_run())
