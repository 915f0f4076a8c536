"""MODEL_CARD.md: what a bundle is, how it was made, its measured figures and their limits."""

import shlex
from collections.abc import Callable

from genre_edge.model.bundle import Bundle
from tools.training.report import percent

_DISJOINT = "artist-disjoint where artists are known"
STUDY_BEGIN, STUDY_END = "<!-- study:begin -->", "<!-- study:end -->"  # filled by tools/study_model.py


def model_card(bundle: Bundle, size: int, text: str, command: str) -> str:
    """MODEL_CARD.md: what it is, how it was made, the measured figures and their limits."""
    holdout = bundle.metrics["holdout"]
    rows = "\n".join(
        f"| {label} | {percent(recall) if recall is not None else '-'} |"
        for label, recall in holdout["per_genre"].items()
    )
    confusion = "\n".join(
        f"| {label} | " + " | ".join(map(str, row)) + " |"
        for label, row in zip(holdout["labels"], holdout["confusion"], strict=True)
    )
    figure: Callable[[str], str] = lambda key: percent(bundle.metrics[key])  # noqa: E731
    low, high = holdout["ci95"]
    return f"""# {bundle.name} {bundle.version}

{text}

- Input: {_front_end(bundle)}
- Output: {len(bundle.labels)} genres{_not_music(bundle)}: {", ".join(bundle.labels)}
- Size: {size} bytes, int8; {bundle.metrics["parameters"]} parameters, {
        bundle.metrics["multiply_accumulates"] / 1e6:.1f} million multiply-accumulates a patch
- SHA-256 of model.tflite: `{bundle.sha256}`

## Measured on {holdout["n"]} tracks of split `{bundle.metrics["holdout_split"]}`, none of them used for training

| figure | value |
| --- | --- |
| accuracy, int8 | {percent(holdout["accuracy"])} (95 % interval {percent(low)} to {percent(high)}) |
| accuracy, float before quantisation | {figure("float_accuracy")} |
| same answer int8 and float | {figure("int8_agreement")} |
| expected calibration error | {bundle.metrics["calibration_error"]} |
| tracks answered at threshold {bundle.threshold} | {figure("coverage")} |
| accuracy among those | {figure("accuracy_when_sure")} |
{_single_patches(bundle)}{_folds(bundle)}
{_temperature(bundle)}{_begun(bundle)}
{_refitted(bundle)}{_random_splits(bundle)}
| genre | recall |
| --- | --- |
{rows}

Confusion (rows: truth, columns: heard as {", ".join(bundle.labels)}):

| | {" | ".join(label[:3] for label in bundle.labels)} |
| --- |{" --- |" * len(bundle.labels)}
{confusion}

Confidence and accuracy of the same tracks:

| confidence | tracks | accuracy |
| --- | --- | --- |
{_rows(bundle.metrics["reliability"], "confidence", "tracks", "accuracy")}

| threshold | tracks answered | accuracy among those |
| --- | --- | --- |
{_rows(bundle.metrics["coverage_curve"], "threshold", "coverage", "accuracy_when_sure")}

{STUDY_BEGIN}
{STUDY_END}
## Data

{bundle.data}

## What it does not know

{_unknown(bundle)}{_noise(bundle)}

## Regenerate

{_regenerate(bundle, command)}

## Licence

{bundle.licence}
"""


def _rows(bins: list[dict[str, float]], *columns: str) -> str:
    return "\n".join(
        "| " + " | ".join(str(b[c]) if c in ("tracks", "threshold") else percent(b[c]) for c in columns) + " |"
        for b in bins
    )


def _not_music(bundle: Bundle) -> str:
    return "" if bundle.not_music is None else " and the odds that it is no music"


def _unknown(bundle: Bundle) -> str:
    n = len(bundle.labels)
    if "GTZAN" not in bundle.data:
        return f"Other music than these {n} genres gets the nearest of the {n}."
    return (
        "Ten Western genres of the 1950s to 2000, 30 s excerpts, mostly by artists of the English-speaking world;\n"
        "other genres and other cultures get the nearest of the ten. GTZAN's labels have known faults (Sturm 2013):\n"
        "replicas, mislabellings, and many excerpts of one artist in one genre."
    )


def _regenerate(bundle: Bundle, command: str) -> str:
    """The commands whose figures stand in this card and in docs/model.md."""
    distilled, split = "folds" in bundle.metrics, bundle.metrics["holdout_split"]
    measured = "OUT/measured" if "refitted" in bundle.metrics else "OUT/bundle"
    commands = [command]
    if bundle.not_music is not None:
        commands.insert(0, "python -m tools.fetch_sounds sounds/")
    if not split.startswith("random"):
        tables = "--mels mel.npz --tracks tracks.csv"
        measure = f"--bundle {measured} {tables} --split {shlex.quote(split)}"
        commands += [
            f"python -m tools.evaluate {measure}",
            f"python -m tools.study_model {measure} --audio AUDIO/ --not-music sounds/not-music-test --other OTHER/ "
            "--write OUT/bundle/MODEL_CARD.md",
        ]
        if distilled:
            commands += [
                f"python -m tools.ablate_model --run OUT {tables} --write docs/model.md",
                "python -m tools.chart_models --write docs/model.svg",
            ]
    sha256 = bundle.metrics.get("measured_sha256")
    return (
        "```sh\n" + "\n".join(commands) + "\n```\n\n"
        "Of your paths the training command shows the last parts; `OUT` is its `--out`, `AUDIO` is where the table's\n"
        "audio begins, `OTHER` holds music that others have labelled, a folder a genre."
        + (f" SHA-256 of the measured model.tflite:\n`{sha256}`." if sha256 else "")
    )


def _noise(bundle: Bundle) -> str:
    return " Speech, noise and birdsong get\na genre, too." if bundle.not_music is None else ""


def _single_patches(bundle: Bundle) -> str:
    """A confidence is calibrated for whole tracks; on their own, patches are surer than they should be."""
    if "single_patches" not in bundle.metrics:
        return ""
    alone = bundle.metrics["single_patches"]
    return (
        f"| single patches of {bundle.patch_s:.1f} s ({alone['number']}): accuracy, mean confidence | "
        f"{percent(alone['accuracy'])}, {percent(alone['confidence'])} |\n"
    )


def _begun(bundle: Bundle) -> str:
    if not bundle.metrics.get("begun_from"):
        return ""
    return (
        "\n\nThe network was not distilled anew: it began with the layers of a bundle whose model.tflite has the\n"
        "SHA-256 "
        f"`{bundle.metrics['begun_from']}`; the figures\nare honest if that had not learnt from these tracks either."
    )


def _folds(bundle: Bundle) -> str:
    if "folds" not in bundle.metrics:
        return ""
    folds = bundle.metrics["folds"]
    return (
        f"| folds of the training tracks, {_DISJOINT}, last layer, float, {len(folds)} seeds | "
        f"{', '.join(map(percent, folds))} |\n"
    )


def _temperature(bundle: Bundle) -> str:
    if bundle.metrics["temperature_from"] == "folds":
        temperature = bundle.metrics["temperature"]
        return f"The temperature ({temperature}) was chosen on folds of the training tracks, {_DISJOINT}."
    return (
        f"The temperature ({bundle.temperature}) was chosen on the same tracks, so the last three rows are a little "
        "kinder than\nnew music will be."
    )


def _refitted(bundle: Bundle) -> str:
    again = bundle.metrics.get("refitted")
    if again is None:
        return ""
    return (
        f"\nThe last layer of this bundle was then fitted again, to all {again['tracks']} tracks, these among them "
        f"(temperature\n{bundle.temperature}; folds {', '.join(map(percent, again['folds']))}; "
        f"calibration error {again['folds_calibration_error']}). No track was left to\nmeasure it on; the layers below "
        "are those that were measured.\n"
    )


def _front_end(bundle: Bundle) -> str:
    mel, frames = bundle.mel, bundle.patch_frames
    return (
        f"{mel.n_mels} x {frames} mel frames ({frames * mel.hop_length / mel.sr:.1f} s; {mel.sr:g} Hz, "
        f"n_fft {mel.n_fft}, hop {mel.hop_length}), each patch scaled by itself ({bundle.normalisation})"
    )


def _random_splits(bundle: Bundle) -> str:
    splits = bundle.metrics.get("random_splits")
    if splits is None:
        return ""
    paper = "; the paper: 68 % test, 84 % train" if "paper" in bundle.name else ""
    return (
        f"\nOver {len(splits['test_accuracy'])} random 80/20 splits of all {splits['tracks']} tracks "
        f"(the paper's protocol; float, {splits['epochs']} epochs):\n"
        f"test {percent(splits['test_mean'])} on average, standard deviation {percent(splits['test_std'])}, "
        f"train {percent(splits['train_mean'])}{paper}. Random splits put excerpts\n"
        "of one artist, even of one recording, in both halves: read them as an upper bound.\n"
    )
