"""docs/cli.md from the program's own commands and options, so that the two cannot differ.

python -m tools.cli_docs --write docs/cli.md
python -m tools.cli_docs --check docs/cli.md
"""

import argparse
import inspect
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from genre_edge.cli import app
from genre_edge.system.atomic_write import write_atomically

HEAD = """# The command line

Made from the program by `tools/cli_docs.py` (`make docs`); do not edit.

Exit codes: 0 all done; 1 some inputs failed (each with one line on stderr, the others still done); 2 wrong usage;
3 a live source has gone for good. Results go to stdout, everything else to stderr.
"""


def _default(parameter: Any) -> str:
    if parameter.required:
        return "needed"
    value = getattr(parameter.default, "value", parameter.default)
    return "" if value is None or value is False else f"`{value}`"


def _row(parameter: Any) -> str:
    is_option = parameter.param_type_name == "option"
    name = ", ".join(parameter.opts) if is_option else parameter.name.upper()
    choices = [choice.value for choice in type(parameter.default)] if isinstance(parameter.default, Enum) else []
    text = parameter.help + (f" One of {', '.join(choices)}." if choices else "")
    return f"| `{name}` | {_default(parameter)} | {text} |"


def _section(name: str, command: Any) -> str:
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
    return "\n".join(
        [
            f"## `genre-edge {name}`\n",
            inspect.cleandoc(command.help),
            "",
            "| | default | |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def page() -> str:
    """The whole page."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return "\n".join([HEAD, *(_section(name, command) for name, command in commands.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", type=Path)
    action.add_argument("--check", type=Path)
    arguments = parser.parse_args()
    if arguments.write:
        write_atomically(arguments.write, page().encode())
    elif arguments.check.read_text() != page():
        sys.exit(f"{arguments.check} is out of date: make docs")


if __name__ == "__main__":
    main()
