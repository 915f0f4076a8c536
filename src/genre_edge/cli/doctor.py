"""`genre-edge doctor`: checks of the installation, with advice."""

import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from genre_edge.cli.options import JsonOption, ModelOption

if TYPE_CHECKING:
    from rich.console import Console

    from genre_edge.diagnostics.doctor import Finding

_COLORS = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def doctor(model: ModelOption = "edge", as_json: JsonOption = False) -> None:
    """Check the installation and its numerical results on this processor, and suggest fixes.

    Exit code 1 if a check fails.
    """
    from rich.console import Console

    from genre_edge.diagnostics.doctor import examine, healthy

    with suppress(ImportError):  # a core that fails to load is reported by its own check
        from genre_edge.model.bundle import bundle_path

        bundle_path(model)  # an unknown name is wrong usage, exit code 2
    console, findings = Console(), {}
    for name, finding in examine(model):
        findings[name] = finding
        if not as_json:
            _print_finding(console, name, finding)
    if as_json:
        checks = {name: asdict(finding) for name, finding in findings.items()}
        print(json.dumps({"healthy": healthy(findings), "checks": checks}, indent=2))
    raise typer.Exit(0 if healthy(findings) else 1)


def _print_finding(console: "Console", name: str, finding: "Finding") -> None:
    from rich.text import Text

    from genre_edge.output.text import printable

    state = Text(f"{finding.state:<4}", _COLORS[finding.state])
    console.print(state, Text(f" {name:<9}  {printable(finding.value)}"), soft_wrap=True)
    if finding.advice:
        console.print(Text(f"{'':<17}to do: {printable(finding.advice)}"), soft_wrap=True)
