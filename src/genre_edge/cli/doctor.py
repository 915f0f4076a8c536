"""`genre-edge doctor`: is all well here, and if not, what to do."""

import json
from contextlib import suppress
from dataclasses import asdict

import typer

from genre_edge.cli.options import JsonOption, ModelOption

_COLOURS = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def doctor(model: ModelOption = "edge", as_json: JsonOption = False) -> None:
    """Look at all parts, test their numbers on this processor, and say what to do. Exit code 1 if something is bad."""
    from rich.console import Console
    from rich.text import Text

    from genre_edge.diagnostics.doctor import Finding, examine, healthy
    from genre_edge.output.text import printable

    def show(name: str, finding: Finding) -> None:
        state = Text(f"{finding.state:<4}", _COLOURS[finding.state])
        console.print(state, Text(f" {name:<9}  {printable(finding.value)}"), soft_wrap=True)
        if finding.advice:
            console.print(Text(f"{'':<17}to do: {printable(finding.advice)}"), soft_wrap=True)

    with suppress(ImportError):  # of a broken core, which has a line of its own
        from genre_edge.model.bundle import bundle_path

        bundle_path(model)  # a wrong name is wrong usage
    console, findings = Console(), {}
    for name, finding in examine(model):
        findings[name] = finding
        if not as_json:
            show(name, finding)
    if as_json:
        checks = {name: asdict(finding) for name, finding in findings.items()}
        print(json.dumps({"healthy": healthy(findings), "checks": checks}, indent=2))
    raise typer.Exit(0 if healthy(findings) else 1)
