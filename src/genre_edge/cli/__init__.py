"""The command-line application, one module per command.

Heavy modules are imported inside the commands, so that `--help` is fast.
"""

import os
import sys

import typer

from genre_edge import __version__
from genre_edge.cli import standard_streams
from genre_edge.cli.command_group import CommandGroup
from genre_edge.cli.messages import log_to_stderr, print_message
from genre_edge.errors import GenreEdgeError

app = typer.Typer(
    name="genre-edge",
    cls=CommandGroup,
    help="Classifies the genre of music, offline.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain text: importing rich takes as long as the rest of `--help`
    pretty_exceptions_enable=False,
)


def _print_version(requested: bool) -> None:
    if requested:
        print(f"genre-edge {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def main() -> None:
    """Set up the standard streams and the log, run the command and exit with its code."""
    standard_streams.open_closed_streams()
    standard_streams.escape_unencodable_output()
    standard_streams.silence_libraries()
    log_to_stderr()
    # OpenBLAS starts a spinning thread for each core when numpy is imported; no command multiplies large matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(_run())


def _run() -> int:
    """Run the command and print its error, if any.

    Returns the exit code: 0 success, 1 some inputs failed, 2 wrong usage, 3 a live source is lost, 130 interrupted.
    """
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
        return 0
    except GenreEdgeError as error:
        print_message(error)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        standard_streams.discard_output()  # the reader has closed the pipe, as `| head` does
        return 1
    except OSError as error:
        standard_streams.discard_output()  # the disk behind standard output may be full
        print_message(error)
        return 1
