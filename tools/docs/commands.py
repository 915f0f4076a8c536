"""Command lines for generated pages and model cards."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path


def public_command(program: str, paths: Iterable[Path | str | None]) -> str:
    """Return this process's command line, as a module of `tools`, with only the last part of each path.

    Args:
        program: name of the module.
        paths: values of options that are paths.
    """
    private = {Path(path) for path in paths if path}
    shown = []
    for argument in sys.argv[1:]:
        option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
        shown.append(option + equals + (Path(value).resolve().name if value and Path(value) in private else value))
    return shlex.join(["python", "-m", f"tools.{program}", *shown])
