"""The docs: every command and Python example is run, generated pages are up to date, links and figures are right."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, TIMEOUT_S

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
CODE_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INSTALLED = "/opt/genre-edge/bin/"  # where docs/raspberry-pi.md installs it: the commands are run from PATH instead
# Beginnings of commands that are not run here, and why or where else.
SKIPPED = {
    "git clone": "the checkout is here",
    "cd ": "the checkout is here",
    "make ": "`make test` runs these tests; .ci/run runs `make demo` too",
    "sudo ": "changes the system",
    "pip ": "tests/test_package.py installs the wheel",
    "genre-edge stream": "needs a microphone; tests/cli/test_cli_stream.py uses a pipe",
    "genre-edge serve": "needs a microphone; tests/cli/test_cli_serve.py uses a pipe",
    "GENRE_EDGE_SOURCE": "needs a radio; tests/cli/test_source_name.py",
    "GENRE_EDGE_TOKEN": "needs a microphone; tests/cli/test_cli_serve.py uses a pipe",
    "dask ": "does not end; tests/tools/library/test_cluster_load.py",
    "genre-edge scan /mnt/nas": "needs a cluster; tests/library/cluster/test_cluster.py",
    "genre-edge scan s3:": "needs a bucket; tests/library/cluster/test_cluster.py",
    'python -c "import pyarrow.parquet': "needs a cluster; tests/library/cluster/test_cluster.py",
    "mosquitto_pub": "needs a broker; tests/recipes/test_home_assistant.py",
    "mkdir -p ~/.config/systemd": "tests/recipes/test_nightly_scan.py uses another home",
    "cp /opt/genre-edge/share": "tests/recipes/test_nightly_scan.py uses another home",
    "systemctl --user": "needs a user's systemd; tests/recipes/test_nightly_scan.py checks the units",
    "snapclient": "needs a Snapcast server; tests/recipes/test_live_pipes.py",
    "genre-edge devices": "needs PortAudio; tests/audio/test_portaudio.py",
    "arecord": "needs a microphone",
    "python -m tools.fetch_sounds": "downloads several GB; tests/tools/test_fetch_sounds.py",
    "python -m tools.train_and_export --audio gtzan": "tests/tools/test_training_distilled.py uses a small corpus",
    "python -m tools.train_and_export --audio my_music": "tests/tools/test_readme_training.py",
    "PYTHONPATH=src python -m tools.distil_on_gpu gpu/": "needs a GPU; tests/tools/test_distil_on_gpu.py uses the CPU",
    "python -m tools.compare_front_ends": "needs the corpora; tests/tools/test_compare_front_ends.py uses a small one",
    "python -m tools.calibrate_styles": "needs the corpora; tests/tools/test_calibrate_styles.py uses a small one",
    "python -m tools.own_genres_study": "needs the corpora; tests/tools/test_own_genres.py uses a small one",
    "python -m tools.evaluate": "tests/tools/test_evaluate.py evaluates a small corpus",
    "python -m tools.mixtures": "takes minutes; tests/tools/test_mixtures.py",
    "python -m tools.reproduce_paper": "takes an hour; tests/tools/test_reproduce_paper.py uses a small corpus",
    "python -m tools.soak": "takes a quarter of an hour; tests/tools/test_soak.py",
    "python -m tools.live_cost": "takes an hour; tests/tools/test_soak.py",
    "python -m tools.startup": "its limits need an idle machine; tests/tools/test_startup.py",
    "python -m pytest": "`make test` runs these tests",
    ".venv/bin/python -m pytest": "`make test` runs these tests",
    "GENRE_EDGE_MOMENTS": "takes minutes; tests/tools/test_endurance_process.py with fewer moments",
}


def code_blocks(language: str) -> list[tuple[str, str]]:
    """Return (page, code) of each block in a language."""
    return [
        (page.name, code)
        for page in PAGES
        for block_language, code in CODE_BLOCK.findall(page.read_text())
        if block_language == language
    ]


def shell_commands() -> list[tuple[str, str]]:
    """Return (page, command) of each command line that can be run here; `--help` always can."""
    lines = [
        (page, line.strip().removeprefix(INSTALLED))
        for page, code in code_blocks("sh")
        for line in code.replace("\\\n", " ").splitlines()
    ]
    return [
        (page, line)
        for page, line in lines
        if line and (line.endswith("--help") or not line.startswith(("#", *SKIPPED)))
    ]


COMMANDS = shell_commands()


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory, song: Path) -> Path:
    """A folder with the files that the commands name."""
    folder = tmp_path_factory.mktemp("docs")
    for name in ("demo", "tools", "models"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "music").mkdir()
    (folder / "music" / "song.ogg").write_bytes(song.read_bytes())
    (folder / "song.ogg").write_bytes(song.read_bytes())
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page}: {line}" for page, line in COMMANDS])
def test_docs_shell_command(page: str, command: str, playground: Path) -> None:
    """Each command of the docs ends with exit code 0."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command.split("  #")[0]],
        cwd=playground,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr


def test_docs_shell_commands_found() -> None:
    """The pages are parsed: the usual commands are among those that are run."""
    assert {"classify", "doctor"} <= {word for _, command in COMMANDS for word in shlex.split(command)}


def test_docs_skipped_commands_name_tests() -> None:
    """Test files that the table of skipped commands names exist."""
    for reason in SKIPPED.values():
        for path in re.findall(r"tests/[\w/]+\.py", reason):
            assert (ROOT / path).is_file(), path


@pytest.mark.slow
@pytest.mark.parametrize(("page", "program"), code_blocks("python"), ids=[page for page, _ in code_blocks("python")])
def test_docs_python_example(page: str, program: str, playground: Path) -> None:
    """Each Python example of the docs runs without an error."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=playground, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("tool", "page"),
    [("cli_docs", "docs/cli.md"), pytest.param("conformance", "docs/mel.md", marks=pytest.mark.slow)],
)
def test_docs_generated_page_up_to_date(tool: str, page: str) -> None:
    """The page has the text that `make docs` generates."""
    subprocess.run([sys.executable, "-m", f"tools.{tool}", "--check", page], cwd=ROOT, check=True, timeout=TIMEOUT_S)


def test_docs_links() -> None:
    """Links inside the project lead to a file."""
    for page in [*PAGES, *(ROOT / "docs").glob("*.ipynb")]:
        for target in re.findall(r"\]\(([^)#:]+)[#)]", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_model_cards_match_bundles() -> None:
    """The model cards have the accuracy and hash of their bundles."""
    for directory in sorted((ROOT / "models").iterdir()):
        bundle = json.loads((directory / "bundle.json").read_text())
        card = (directory / "MODEL_CARD.md").read_text()
        assert f"accuracy, int8 | {100 * bundle['metrics']['holdout']['accuracy']:.1f} %" in card
        assert bundle["sha256"] in card


def test_readme_results_match_bundles() -> None:
    """README's accuracies are those of the bundles."""
    text = (ROOT / "README.md").read_text()
    for name in ("edge", "nano", "paper"):
        metrics = json.loads((ROOT / "models" / name / "bundle.json").read_text())["metrics"]
        low, high = metrics["holdout"]["ci95"]
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        assert f"{100 * metrics['holdout']['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})" in row
    splits = json.loads((ROOT / "models" / "paper" / "bundle.json").read_text())["metrics"]["random_splits"]
    assert f"{100 * splits['test_mean']:.1f} % ± {100 * splits['test_std']:.1f}" in text
