"""`genre-edge devices`: what can be listened to here."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from genre_edge.cli.options import ListFormat


def devices(
    format: Annotated[ListFormat, typer.Option(help="How the list is written.")] = ListFormat.table,
) -> None:
    """List the sound cards that can be listened to, by the numbers and names that `stream` takes."""
    from genre_edge.audio import microphone
    from genre_edge.output.text import printable

    found = microphone.devices()
    if format is ListFormat.json:
        print(json.dumps([asdict(device) for device in found], indent=2))
        return
    print(f"{'number':>6}  {'channels':>8}  {'rate':>8}  name")
    for device in found:
        mark = "  (default)" if device.default else ""
        name = printable(device.name)
        print(f"{device.number:>6}  {device.channels:>8}  {device.rate:>5.0f} Hz  {name}{mark}")
