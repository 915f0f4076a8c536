"""`genre-edge models`: what is installed, verified."""

import json
import sys
from typing import Annotated, Any

import typer

from genre_edge.cli.options import ListFormat


def models(
    format: Annotated[ListFormat, typer.Option(help="How the list is written.")] = ListFormat.table,
) -> None:
    """List the installed models; each is loaded and its hash checked."""
    from genre_edge.errors import ModelError
    from genre_edge.model.bundle import installed
    from genre_edge.model.prediction import Model

    rows, failed = [], 0
    for name in installed():
        try:
            rows.append(_row(Model(name).bundle))
        except ModelError as error:
            failed += 1
            print(f"genre-edge: {error}", file=sys.stderr)
    if format is ListFormat.json:
        print(json.dumps(rows, indent=2))
    else:
        print(f"{'name':<10}  {'version':<7}  {'listens to':>10}  {'accuracy':>8}  SHA-256 (verified)")
        for row in rows:
            accuracy = "-" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
            seconds = f"{row['patch_s']:.1f} s"
            print(f"{row['name']:<10}  {row['version']:<7}  {seconds:>10}  {accuracy:>8}  {row['sha256']}")
    raise typer.Exit(1 if failed else 0)


def _row(bundle: Any) -> dict[str, Any]:
    holdout = bundle.metrics.get("holdout", {})
    return {
        "name": bundle.name,
        "version": bundle.version,
        "sha256": bundle.sha256,
        "labels": bundle.labels,
        "patch_s": round(bundle.patch_s, 3),
        "accuracy": holdout.get("accuracy"),
        "measured_on": bundle.metrics.get("holdout_split"),
    }
