"""`CommandGroup`: the commands of `genre-edge`, each imported when it is used."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# In the order of `--help`, with the first sentence of each command's help, so that `--help` imports no command.
COMMANDS = {
    "classify": "Classify the genre of music files.",
    "stream": "Classify a live source continuously: a live view on a terminal, otherwise JSON lines.",
    "scan": "Classify a music library into a database.",
    "report": "Show the genres and styles of a scanned library, doubtful files first, "
    "and what could not be classified.",
    "export": "Write the results of a scanned library, a row for each file, missing and failed files included.",
    "playlist": "Write a playlist (.m3u8) for each genre or style of a scanned library, "
    "the most confident files first.",
    "tag": "Write genres into the tags of music files: plan, apply, undo.",
    "serve": "Classify a live source and show the results on a web page, until Ctrl-C.",
    "spectrogram": "Draw the model's input, a mel spectrogram, with axes in seconds and Hz, to a PNG file.",
    "models": "List the installed models.",
    "devices": "List the sound cards that can record.",
    "doctor": "Check the installation and its numerical results on this processor, and suggest fixes.",
    "bench": "Measure the speed of the spectrogram, the network, the decoders and all steps from a file to its genre.",
}


class CommandGroup(TyperGroup):
    """Group that imports `genre_edge.cli.NAME` when the command NAME is used.

    The module has a function NAME, or an application NAME with commands of its own.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; None if there is none of this name."""
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:  # all, for "Did you mean"
            if name not in self.commands:
                self.commands[name] = _import_command(name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _import_command(name: str) -> Any:
    target = getattr(import_module(f"genre_edge.cli.{name}"), name)
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(add_completion=False, rich_markup_mode=None)
        target.command(name)(function)
    return typer.main.get_command(target)
