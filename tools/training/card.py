"""Generate a bundle's MODEL_CARD.md: description, metrics and their limits, training data, commands."""

import shlex
from typing import Any

from genre_edge.model.bundle import Bundle
from tools.training.report import percent

_DISJOINT = "artist-disjoint where artists are known"
STUDY_BEGIN, STUDY_END = "<!-- study:begin -->", "<!-- study:end -->"  # filled by tools.study_model


def model_card(bundle: Bundle, size: int, text: str, command: str) -> str:
    """Return the text of MODEL_CARD.md.

    Args:
        size: bytes of model.tflite.
        text: description of the architecture.
        command: the command line that trained the bundle.
    """
    holdout = bundle.metrics["holdout"]
    rows = "\n".join(_recall_row(bundle, label, recall) for label, recall in holdout["per_genre"].items())
    confusion = "\n".join(
        f"| {label} | " + " | ".join(map(str, row)) + " |"
        for label, row in zip(holdout["labels"], holdout["confusion"], strict=True)
    )
    low, high = holdout["ci95"]
    return f"""# {bundle.name} {bundle.version}

{text}

- Input: {_front_end(bundle)}
- Output: {len(bundle.labels)} genres: {", ".join(bundle.labels)}{_other_outputs(bundle)}
- Size: {size} bytes, int8; {bundle.metrics["parameters"]} parameters, {
        bundle.metrics["multiply_accumulates"] / 1e6:.1f} million multiply-accumulates per patch
- SHA-256 of model.tflite: `{bundle.sha256}`

## Measured on {holdout["n"]} tracks of split `{bundle.metrics["holdout_split"]}`, none of them used for training

| metric | value |
| --- | --- |
| accuracy, int8 | {percent(holdout["accuracy"])} (95 % interval {percent(low)} to {percent(high)}) |
| accuracy of the float network with the same last layer | {percent(bundle.metrics["float_accuracy"])} |
| same prediction, int8 and float | {percent(bundle.metrics["int8_agreement"])} |
| expected calibration error | {bundle.metrics["calibration_error"]} |
| tracks at or above threshold {bundle.threshold} | {percent(bundle.metrics["coverage"])} |
| accuracy of these tracks | {percent(bundle.metrics["accuracy_when_sure"])} |
{_single_patches(bundle)}{_folds(bundle)}
{_temperature(bundle)}
{_refitted(bundle)}{_layers_of(bundle)}{_random_splits(bundle)}
{_recall_header(bundle)}
{rows}

Confusion matrix (rows: true genre; columns: predicted genre, in the order {", ".join(bundle.labels)}):

| | {" | ".join(label[:3] for label in bundle.labels)} |
| --- |{" --- |" * len(bundle.labels)}
{confusion}

Confidence and accuracy of the same tracks:

| confidence | tracks | accuracy |
| --- | --- | --- |
{table_rows(bundle.metrics["reliability"], "confidence", "tracks", "accuracy")}

| threshold | tracks at or above it | their accuracy |
| --- | --- | --- |
{table_rows(bundle.metrics["coverage_curve"], "threshold", "coverage", "accuracy_when_sure")}

{STUDY_BEGIN}
{STUDY_END}
## Data

{bundle.data}
{_hours(bundle)}{_pseudo_labels(bundle)}
## Limitations

{_limitations(bundle)}{_not_music_limitation(bundle)}

## Regenerate

{_regenerate(bundle, command)}

## Licence

{bundle.licence}
"""


def _recall_header(bundle: Bundle) -> str:
    if not _recall_on_folds(bundle):
        return "| genre | recall |\n| --- | --- |"
    refitted = bundle.metrics.get("refitted", {})
    n = refitted.get("tracks", 0) - refitted.get("tracks_without_audio", 0)
    divisions = len((refitted or bundle.metrics)["folds"])
    tracks = f"{f'all {n}' if n else 'the training'} tracks, {divisions} divisions"
    return f"| genre | recall | recall on folds of {tracks} |\n| --- | --- | --- |"


def _recall_row(bundle: Bundle, label: str, recall: float | None) -> str:
    cells = [label, "-" if recall is None else percent(recall)]
    if folds := _recall_on_folds(bundle):
        cells.append("-" if folds[label] is None else percent(folds[label]))
    return f"| {' | '.join(cells)} |"


def _recall_on_folds(bundle: Bundle) -> dict[str, float]:
    """Return the recall by genre on artist-disjoint folds, of all tracks if the last layer was fitted to them."""
    folds: dict[str, float] = bundle.metrics.get("refitted", bundle.metrics).get("folds_by_genre", {})
    return folds


def table_rows(bins: list[dict[str, float]], *columns: str) -> str:
    return "\n".join(
        "| " + " | ".join(str(b[c]) if c in ("tracks", "threshold") else percent(b[c]) for c in columns) + " |"
        for b in bins
    )


def _other_outputs(bundle: Bundle) -> str:
    lines = ""
    if bundle.styles:
        names = (f"{style.name} ({style.parent})" if style.parent else style.name for style in bundle.styles)
        lines += f"\n- Styles (and their parents), {len(bundle.styles)}: {', '.join(names)}"
    if bundle.sounds:
        lines += f"\n- Sounds: {', '.join(bundle.sounds)}"
    elif bundle.not_music is not None:
        lines += "\n- One output for audio that is not music"
    return lines


def _hours(bundle: Bundle) -> str:
    """Return the table of the sound that a network was distilled on."""
    if "hours" not in bundle.metrics:
        return ""
    hours, explained = bundle.metrics["hours"], bundle.metrics["explained"]
    rows = "\n".join(f"| {source} | {value} |" for source, value in hours.items())
    shares = "; ".join(f"{name}: {value:.3f}" for name, value in explained.items())
    title, others = "Unlabelled sound that the network was distilled on", ""
    if start := bundle.metrics.get("warm_start"):
        title = f"Unlabelled sound of the distillation that began with {start}"
        others = f"{start} may have been distilled on some of these recordings.\n"
    return (
        f"\n{title}, at most 4 minutes of each file:\n\n"
        f"| source | hours |\n| --- | --- |\n{rows}\n\n"
        f"Share of the variance of the teacher's outputs that the network explains for other recordings, in float:\n"
        f'{shares} ("music": logits of music and its kinds; "degraded": the network\'s sound, not the teacher\'s).\n'
        f"{others}"
    )


def _limitations(bundle: Bundle) -> str:
    n = len(bundle.labels)
    if "GTZAN" not in bundle.data:
        return f"Music of any other genre is classified as one of these {n} genres."
    return (
        "The training data are 30 s excerpts of ten Western genres from the 1950s to 2000, mostly by artists from the\n"
        "English-speaking world; music of other genres and cultures is classified as one of the ten. GTZAN has known\n"
        "faults (Sturm 2013): duplicates, wrong labels, and many excerpts of one artist in one genre."
    )


def _regenerate(bundle: Bundle, command: str) -> str:
    """Return the commands that produce the metrics of the card and of docs/model.md."""
    distilled, split = "folds" in bundle.metrics, bundle.metrics["holdout_split"]
    measured = "OUT/measured" if "refitted" in bundle.metrics else "OUT/bundle"
    commands = [command]
    if bundle.not_music is not None:
        commands.insert(0, "python -m tools.fetch_sounds sounds/")
    if not split.startswith("random"):
        measure = f"--bundle {measured} --tracks tracks.csv --split {shlex.quote(split)}"
        archive = "" if distilled else " --mels mel.npz"
        styles = " --teacher TEACHER --songs sounds/music-test --against OTHER_BUNDLE" if bundle.styles else ""
        commands += [
            f"python -m tools.evaluate {measure} {'--audio AUDIO/' if distilled else '--mels mel.npz'}",
            f"python -m tools.study_model {measure}{archive} --audio AUDIO/ --not-music sounds/not-music-test "
            f"--other OTHER/{styles} --write OUT/bundle/MODEL_CARD.md",
        ]
        if distilled:
            commands.append("python -m tools.chart_models --write docs/model.svg")
    sha256 = bundle.metrics.get("measured_sha256")
    return (
        "```sh\n" + "\n".join(commands) + "\n```\n\n"
        "The commands show only the last part of each path. `OUT` is the network's folder in the last `--out`.\n"
        "`AUDIO` is the folder that the table's column `audio` is relative to. `OTHER` holds independently labelled\n"
        "music, one folder per genre." + (f"\nSHA-256 of the measured model.tflite:\n`{sha256}`." if sha256 else "")
    )


def _not_music_limitation(bundle: Bundle) -> str:
    return " Speech, noise and birdsong\nare classified as a genre, too." if bundle.not_music is None else ""


def _single_patches(bundle: Bundle) -> str:
    """Return the row of single patches: confidence is calibrated for whole tracks, so patches are overconfident."""
    if "single_patches" not in bundle.metrics:
        return ""
    patches = bundle.metrics["single_patches"]
    return (
        f"| single patches of {bundle.patch_s:.1f} s ({patches['number']}): accuracy, mean confidence | "
        f"{percent(patches['accuracy'])}, {percent(patches['confidence'])} |\n"
    )


def _folds(bundle: Bundle) -> str:
    if "folds" not in bundle.metrics:
        return ""
    folds = bundle.metrics["folds"]
    return (
        f"| folds of the training tracks, {_DISJOINT}, last layer, {len(folds)} divisions | "
        f"{', '.join(map(percent, folds))} |\n{_style_error(bundle.metrics)}"
    )


def _style_error(metrics: dict[str, Any]) -> str:
    error = metrics.get("folds_style_error")
    return "" if error is None else f"| mean calibration error of the styles that are genres, on folds | {error} |\n"


def _temperature(bundle: Bundle) -> str:
    if bundle.metrics["temperature_from"] == "folds":
        temperature = bundle.metrics["temperature"]
        return f"The temperature ({temperature}) was fitted to folds of the training tracks, {_DISJOINT}."
    return (
        f"The temperature ({bundle.temperature}) was fitted to the same tracks, so the last three rows are slightly\n"
        "optimistic."
    )


def _refitted(bundle: Bundle) -> str:
    refitted = bundle.metrics.get("refitted")
    if refitted is None:
        return ""
    without = refitted.get("tracks_without_audio", 0)
    tracks = f"all {refitted['tracks'] - without} tracks including these"
    tracks += f", and to {without} tracks without audio" if without else ""
    styles = refitted.get("folds_style_error")
    of_styles = "" if styles is None else f";\nof the styles that are genres {styles}"
    return (
        f"\nThe last layer of this bundle was then fitted again, to {tracks} "
        f"(temperature\n{bundle.temperature}; folds {', '.join(map(percent, refitted['folds']))}; "
        f"calibration error over all divisions {refitted['folds_calibration_error']}{of_styles}). "
        "No track was left to\n"
        "measure it on; all other layers are those that were measured.\n"
    )


def _pseudo_labels(bundle: Bundle) -> str:
    if not (n := bundle.metrics.get("pseudo_labelled_views")):
        return ""
    return (
        f"\nThe genres were also fitted to {n} random views of the unlabelled music, which a regression on the "
        "teacher's outputs\nlabels (docs/model.md).\n"
    )


def _layers_of(bundle: Bundle) -> str:
    """Return where the layers below the last one are from, if they were not trained from random weights."""
    text = ""
    if "warm_start" in bundle.metrics:
        text += f"\nThe distillation began with the int8 weights of {bundle.metrics['warm_start']}.\n"
    if "gpu_views" in bundle.metrics:
        millions = bundle.metrics["gpu_views"] / 1e6
        text += f"A GPU trained the network with {millions:.1f} million views before the last phase (docs/model.md).\n"
    if "other_outputs_of" in bundle.metrics:
        origin = bundle.metrics["other_outputs_of"]
        text += f"\nThe styles were calibrated again; all else is that of {origin}, bit for bit.\n"
    if "layers_of" not in bundle.metrics:
        return text
    return text + (
        f"\nThe convolutions are those of {bundle.metrics['layers_of']}: its int8 weights, taken as real numbers and "
        "quantised again.\nStyles and sounds are its, too, calibrated on the labelled tracks again.\n"
    )


def _front_end(bundle: Bundle) -> str:
    mel, frames = bundle.mel, bundle.patch_frames
    return (
        f"{mel.n_mels} x {frames} mel frames ({frames * mel.hop_length / mel.sr:.1f} s; {mel.sr:g} Hz, "
        f"n_fft {mel.n_fft}, hop {mel.hop_length}), each patch normalised on its own ({bundle.normalisation})"
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
        "of one artist, even of one recording, in both parts: these figures are an upper bound.\n"
    )
