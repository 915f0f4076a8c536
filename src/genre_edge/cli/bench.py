"""`genre-edge bench`: speed on this machine."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from genre_edge.cli.options import JsonOption, ModelOption


def bench(
    model: ModelOption = "edge",
    seconds: Annotated[float, typer.Option(min=1, max=300, help="Seconds of synthetic music to process.")] = 30.0,
    bursts: Annotated[int, typer.Option(min=1, max=1000, help="Number of measurements of each step.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Measure the speed of the spectrogram, the network, the decoders and all steps from a file to its genre.

    Each runs on one core.
    """
    from genre_edge.diagnostics import environment
    from genre_edge.diagnostics.bench import measure
    from genre_edge.diagnostics.timing import format_number

    results = list(measure(model, seconds, bursts))
    machine_info = environment.describe()
    if as_json:
        rows = [asdict(result) for result in results]
        report = {"machine": machine_info, "model": model, "seconds": seconds, "bursts": bursts, "results": rows}
        print(json.dumps(report, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    title = f"{machine_info['processor']}, {machine_info['os']}, {machine_info['lanes']} lanes"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in ("best", "median"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in results:
        table.add_row(row.name, format_number(row.best), format_number(row.median), row.unit)
    table.caption = f"Files: {seconds:g} s of synthetic music, 44.1 kHz, stereo. {bursts} bursts each."
    Console(markup=False, emoji=False, highlight=False).print(table)
