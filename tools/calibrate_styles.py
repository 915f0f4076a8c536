"""Calibrate the styles of a distilled bundle again, on its labelled tracks. All its other outputs keep their bits.

    python -m tools.calibrate_styles --measured runs/ear/nano/measured --bundle nano --audio gtzan/ \\
        --tracks gtzan/tracks.csv --bundle-version 11 --out runs/nano

A change of the calibration needs no new heads with this program. As after `tools.train_and_export --then-use-all`,
OUT/measured was fitted to the training split alone, and OUT/bundle to the holdout of --measured as well.
"""

import argparse
import hashlib
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from genre_edge.errors import GenreEdgeError
from genre_edge.model.bundle import Bundle
from tools.training import card, head, options, own_genres, tflite_head
from tools.training.architectures import ARCHITECTURES
from tools.training.distillation import audioset, style_calibration
from tools.training.distillation.headless import FOLD_SEEDS
from tools.training.distillation.style_calibration import Calibration
from tools.training.embedding import Embedder
from tools.training.genre_folders import GenreFolders, Song
from tools.training.head import LinearLayer

TRAIN_SPLIT = "train"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, required=True, metavar="DIR", help="bundle fitted without the holdout")
    parser.add_argument("--bundle", required=True, help="bundle fitted to all tracks: its name or directory")
    parser.add_argument("--audio", type=Path, required=True, help="the folder of the table's column audio")
    parser.add_argument("--tracks", type=Path, required=True, help="table of the tracks (.csv)")
    parser.add_argument("--bundle-version", required=True)
    parser.add_argument("--out", type=Path, required=True, help="directory for measured and bundle")
    return parser.parse_args()


def check(measured: Bundle, bundle: Bundle) -> None:
    """Check that the bundles belong together and have the styles of the distilled networks.

    Raises:
        SystemExit: they do not.
    """
    if bundle.metrics.get("measured_sha256") != measured.sha256:
        raise SystemExit(f"{bundle.name} {bundle.version} was not measured with {measured.name} {measured.version}")
    for one in (measured, bundle):
        if one.styles != list(audioset.STYLES.values()) or one.name not in ARCHITECTURES:
            raise SystemExit(f"{one.name} {one.version} has no styles that can be calibrated")


def calibrated(base: Embedder, songs: list[Song]) -> tuple[bytes, dict[str, Any]]:
    """Return the network with styles that are calibrated on songs, and the metrics of the calibration."""
    layer, part = tflite_head.last_layer(base.tflite), base.bundle.layout.styles
    styles = LinearLayer(layer.weights[:, part], layer.bias[part])
    if earlier := Calibration.of_bundle(base.bundle):
        styles = earlier.removed(styles)
    features, genres = own_genres.features_of(songs), [song.genre for song in songs]
    calibration = style_calibration.fit(styles, features, genres)
    new = calibration.applied(styles)
    folds = [head.folds(songs, seed) for seed in range(FOLD_SEEDS)]
    metrics = {
        "folds_style_error": style_calibration.error_on_folds(styles, features, genres, folds),
        style_calibration.METRIC: calibration.as_metric(),
    }
    return tflite_head.replace_outputs(base.tflite, part, new.weights, new.bias), metrics


def main() -> None:
    arguments = parse_arguments()
    measured, base = Embedder(arguments.measured), Embedder(arguments.bundle)
    check(measured.bundle, base.bundle)
    paths = (arguments.measured, arguments.bundle, arguments.audio, arguments.tracks, arguments.out)
    command = options.public_command("calibrate_styles", paths)
    version, holdout = arguments.bundle_version, measured.bundle.metrics["holdout_split"]

    def save(base: Embedder, splits: list[str], name: str, metrics: dict[str, Any]) -> Bundle:
        folders = GenreFolders.of_table(arguments.audio, arguments.tracks, splits)
        tflite, own = calibrated(base, folders.embed(base.path))
        for problem in folders.problems:
            print(f"skipped: {problem}", file=sys.stderr)
        refitted = base.bundle.metrics.get("refitted")
        metrics = metrics | ({"refitted": refitted | own} if refitted else own)
        bundle = replace(base.bundle, version=version, metrics=metrics, sha256=hashlib.sha256(tflite).hexdigest())
        about = ARCHITECTURES[bundle.name].about
        commands = f"{training_command(base.path / 'MODEL_CARD.md')}\n{command}"
        text = card.model_card(bundle, len(tflite), about, commands)
        print(f"{arguments.out / name}: calibration error of the styles on folds {own['folds_style_error']}")
        own_genres.save(bundle, tflite, text, arguments.out / name)
        return bundle

    origin = {"other_outputs_of": f"{base.bundle.name} {base.bundle.version}"}
    new = save(measured, [TRAIN_SPLIT], "measured", measured.bundle.metrics | origin)
    save(base, [TRAIN_SPLIT, holdout], "bundle", new.metrics | {"measured_sha256": new.sha256})


def training_command(path: Path) -> str:
    """Return the command line that trained a bundle, from its model card.

    Raises:
        SystemExit: the card cannot be read, or has no such line.
    """
    try:
        found = re.search(r"^python -m tools\.train_and_export .*$", path.read_text(), re.MULTILINE)
    except OSError as error:
        raise SystemExit(f"{path}: {error.strerror}") from None
    if not found:
        raise SystemExit(f"{path}: the command that trained the bundle is missing")
    return found.group()


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
