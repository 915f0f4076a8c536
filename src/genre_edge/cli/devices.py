"""`genre-edge devices`: the sound cards of this machine."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from genre_edge.cli.options import ListFormat


def devices(format: Annotated[ListFormat, typer.Option(help="Output format.")] = ListFormat.table) -> None:
    """List the sound cards that can record. `stream` and `serve` accept their numbers and names."""
    from genre_edge.audio import microphone
    from genre_edge.output.text import printable

    cards = microphone.devices()
    if format is ListFormat.json:
        print(json.dumps([asdict(card) for card in cards], indent=2))
        return
    print(f"{'number':>6}  {'channels':>8}  {'rate':>8}  name")
    for card in cards:
        suffix = "  (default)" if card.default else ""
        print(f"{card.number:>6}  {card.channels:>8}  {card.rate:>5.0f} Hz  {printable(card.name)}{suffix}")
