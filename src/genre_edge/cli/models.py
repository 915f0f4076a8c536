"""`genre-edge models`: the installed models."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genre_edge.cli.messages import print_message
from genre_edge.cli.options import ListFormat

if TYPE_CHECKING:
    from genre_edge.model.bundle import Bundle


def models(format: Annotated[ListFormat, typer.Option(help="Output format.")] = ListFormat.table) -> None:
    """List the installed models. Each model is loaded and its hash verified."""
    from genre_edge.errors import ModelError
    from genre_edge.model.bundle import installed
    from genre_edge.model.prediction import Model

    rows, n_failed = [], 0
    for name in installed():
        try:
            rows.append(_row(Model(name).bundle))
        except ModelError as error:
            n_failed += 1
            print_message(error)
    if format is ListFormat.json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    raise typer.Exit(1 if n_failed else 0)


def _row(bundle: "Bundle") -> dict[str, Any]:
    holdout = bundle.metrics.get("holdout", {})
    return {
        "name": bundle.name,
        "version": bundle.version,
        "sha256": bundle.sha256,
        "labels": bundle.labels,
        "styles": [style.name for style in bundle.styles],
        "patch_s": round(bundle.patch_s, 3),
        "accuracy": holdout.get("accuracy"),
        "measured_on": bundle.metrics.get("holdout_split"),
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    print(f"{'name':<10}  {'version':<7}  {'patch':>6}  {'styles':>6}  {'accuracy':>8}  SHA-256 (verified)")
    for row in rows:
        accuracy = "-" if row["accuracy"] is None else f"{row['accuracy']:.1%}"
        patch, n_styles = f"{row['patch_s']:.1f} s", len(row["styles"])
        print(f"{row['name']:<10}  {row['version']:<7}  {patch:>6}  {n_styles:>6}  {accuracy:>8}  {row['sha256']}")
