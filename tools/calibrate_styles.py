"""Calibrate the styles of a distilled bundle again, on its labelled tracks. All its other outputs keep their bits.

    python -m tools.calibrate_styles --measured runs/ear/nano/measured --bundle runs/ear/nano/bundle --audio gtzan/ \\
        --tracks gtzan/tracks.csv --bundle-version 2 --out runs/nano

Use it when only the calibration has changed: it fits no other head. --measured and --bundle are the two bundles that
`tools.train_and_export --then-use-all` wrote. OUT/measured is calibrated on the split `train` alone, OUT/bundle also on
the split that --measured was measured on.
"""

import argparse
import hashlib
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genre_edge.errors import GenreEdgeError
from genre_edge.model.bundle import Bundle
from tools.docs import commands
from tools.training import card, head, own_genres, tflite_head
from tools.training.architectures import ARCHITECTURES
from tools.training.distillation import audioset, style_calibration
from tools.training.distillation.headless import FOLD_SEEDS
from tools.training.distillation.style_calibration import Calibration
from tools.training.embedding import Embedder
from tools.training.genre_folders import GenreFolders, Song
from tools.training.head import LinearLayer

TRAIN_SPLIT = "train"


@dataclass(frozen=True)
class Calibrated:
    """A network with calibrated styles.

    Attributes:
        tflite: content of the .tflite file.
        metrics: of the calibration.
    """

    tflite: bytes
    metrics: dict[str, Any]

    @classmethod
    def of(cls, base: Embedder, songs: list[Song]) -> "Calibrated":
        """Calibrate a bundle's styles on songs, without an earlier calibration that its metrics name.

        Raises:
            SystemExit: fewer than two genres of the songs are styles.
        """
        layer, part = tflite_head.last_layer(base.tflite), base.bundle.layout.styles
        styles = LinearLayer(layer.weights[:, part], layer.bias[part])
        if earlier := Calibration.of_bundle(base.bundle):
            styles = earlier.removed(styles)
        features, genres = own_genres.features_of(songs), [song.genre for song in songs]
        folds = [head.folds(songs, seed) for seed in range(FOLD_SEEDS)]
        error = style_calibration.error_on_folds(styles, features, genres, folds)
        if error is None:
            raise SystemExit("fewer than two genres of the tracks are styles; nothing to calibrate")
        calibration = style_calibration.fit(styles, features, genres)
        new = calibration.applied(styles)
        return cls(
            tflite_head.replace_outputs(base.tflite, part, new.weights, new.bias),
            {"folds_style_error": error, style_calibration.METRIC: calibration.as_metric()},
        )

    def bundle(self, base: Bundle, version: str, metrics: dict[str, Any]) -> Bundle:
        """Return the bundle `base` with this network."""
        sha256 = hashlib.sha256(self.tflite).hexdigest()
        return replace(base, version=version, metrics=metrics, sha256=sha256)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, required=True, metavar="DIR", help="bundle fitted without the holdout")
    parser.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="bundle fitted to all tracks")
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
    for one in (measured, bundle):
        if one.styles != list(audioset.STYLES.values()) or one.name not in ARCHITECTURES:
            raise SystemExit(f"{one.name} {one.version} has no styles that can be calibrated")
    if "refitted" not in bundle.metrics or bundle.metrics.get("measured_sha256") != measured.sha256:
        raise SystemExit(f"{bundle.name} {bundle.version} was not measured with {measured.name} {measured.version}")


def training_command(path: Path) -> str:
    """Return the command line that trained a bundle, from its model card.

    Raises:
        SystemExit: the card cannot be read, or has no such line.
    """
    try:
        found = re.search(r"^python -m tools\.train_and_export .*$", path.read_text(encoding="utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{path}: {error}") from None
    if not found:
        raise SystemExit(f"{path}: the command that trained the bundle is missing")
    return found.group()


def main() -> None:
    arguments = parse_arguments()
    base_measured, base = Embedder(arguments.measured), Embedder(arguments.bundle)
    check(base_measured.bundle, base.bundle)
    paths = (arguments.measured, arguments.bundle, arguments.audio, arguments.tracks, arguments.out)
    own_command = commands.public_command("calibrate_styles", paths)
    command = f"{training_command(base.path / 'MODEL_CARD.md')}\n{own_command}"
    splits = [TRAIN_SPLIT, base_measured.bundle.metrics["holdout_split"]]
    train, everything = (
        GenreFolders.of_table(arguments.audio, arguments.tracks, names) for names in (splits[:1], splits)
    )
    songs = everything.embed(base_measured.path)  # both bundles have the same features
    for problem in everything.problems:
        print(f"skipped: {problem}", file=sys.stderr)
    train_files = {file.path for file in train.files}
    of_measured = Calibrated.of(base_measured, [song for song in songs if song.file.path in train_files])
    of_all = Calibrated.of(base, songs)

    version, origin = arguments.bundle_version, f"{base.bundle.name} {base.bundle.version}"
    metrics = base_measured.bundle.metrics | of_measured.metrics | {"other_outputs_of": origin}
    measured = of_measured.bundle(base_measured.bundle, version, metrics)
    refitted = base.bundle.metrics["refitted"] | of_all.metrics
    both = metrics | {"measured_sha256": measured.sha256, "refitted": refitted}
    bundle = of_all.bundle(base.bundle, version, both)
    for one, network, name in ((measured, of_measured, "measured"), (bundle, of_all, "bundle")):
        text = card.model_card(one, len(network.tflite), ARCHITECTURES[one.name].about, command)
        own_genres.save(one, network.tflite, text, arguments.out / name)
        error = network.metrics["folds_style_error"]
        print(f"{arguments.out / name}: calibration error of the styles on folds {error}")


if __name__ == "__main__":
    try:
        main()
    except GenreEdgeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
