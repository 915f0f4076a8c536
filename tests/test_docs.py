"""Every command and every example in the docs is run; pages made from code are up to date."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What the whole test run does anyway, or what needs a machine of one's own.
NOT_HERE = {
    "git clone": "the checkout is here",
    "cd ": "the checkout is here",
    "make ": "this very run; .ci/run runs `make demo` too",
    "/opt/genre-edge/": "a Raspberry Pi's; the same commands are run from here",
    "sudo ": "the system is not ours to change",
    "pip ": "tests/test_package.py installs the wheel",
    "genre-edge stream": "needs a microphone; tests/test_cli_stream.py feeds a pipe",
    "genre-edge serve": "needs a microphone; tests/test_cli_serve.py feeds a pipe",
    "GENRE_EDGE_TOKEN": "the same",
    "arecord": "needs a microphone",
    "python -m tools.fetch_sounds": "downloads 2 GB; tests/test_fetch_sounds.py",
    "python -m tools.train_and_export": "tests/test_training*.py train on small corpora",
    "python -m tools.reproduce_paper": "takes an hour; tests/test_reproduce_paper.py rehearses it",
    "python -m tools.soak": "takes a quarter of an hour; tests/test_soak.py",
    "python -m tools.live_cost": "takes an hour; tests/test_soak.py",
    "python -m pytest": "this very run",
    "GENRE_EDGE_MOMENTS": "takes minutes; .ci/run tries fewer",
    "python -m tools.evaluate": "tests/test_training.py evaluates on a small corpus",
}


def blocks(language: str) -> list[tuple[str, str]]:
    return [(page.name, body) for page in PAGES for kind, body in BLOCK.findall(page.read_text()) if kind == language]


COMMANDS = [
    (page, line)
    for page, body in blocks("sh")
    for line in body.replace("\\\n", " ").splitlines()
    if line.strip() and not line.startswith(("#", *NOT_HERE))
]


@pytest.fixture(scope="module")
def playground(tmp_path_factory: pytest.TempPathFactory, song: Path) -> Path:
    """A folder with what the docs' commands name."""
    folder = tmp_path_factory.mktemp("docs")
    for name in ("demo", "tools", "models"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "music").mkdir()
    (folder / "music" / "song.ogg").write_bytes(song.read_bytes())
    (folder / "song.ogg").write_bytes(song.read_bytes())
    return folder


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page}: {line}" for page, line in COMMANDS])
def test_a_command_of_the_docs_works(page: str, command: str, playground: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command.split("  #")[0]],
        cwd=playground,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_docs_have_commands_to_run() -> None:
    assert len(COMMANDS) >= 6
    assert all(shlex.split(command) for _, command in COMMANDS)


@pytest.mark.parametrize(("page", "program"), blocks("python"), ids=[page for page, _ in blocks("python")])
def test_a_python_example_of_the_docs_works(page: str, program: str, playground: Path) -> None:
    done = subprocess.run([sys.executable, "-c", program], cwd=playground, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_command_line_page_is_what_the_program_says() -> None:
    subprocess.run([sys.executable, "tools/cli_docs.py", "--check", "docs/cli.md"], cwd=ROOT, check=True)


def test_the_conformance_table_has_today_s_cases_within_the_limits() -> None:
    subprocess.run([sys.executable, "tools/conformance.py", "--check", "docs/mel.md"], cwd=ROOT, check=True)


def test_links_inside_the_project_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_cards_state_what_the_bundles_say() -> None:
    import json

    for directory in sorted((ROOT / "models").iterdir()):
        bundle = json.loads((directory / "bundle.json").read_text())
        card = (directory / "MODEL_CARD.md").read_text()
        assert f"accuracy, int8 | {100 * bundle['metrics']['holdout']['accuracy']:.1f} %" in card
        assert bundle["sha256"] in card


def test_the_results_in_the_readme_are_the_bundles() -> None:
    import json

    text = (ROOT / "README.md").read_text()
    for name in ("edge", "paper"):
        metrics = json.loads((ROOT / "models" / name / "bundle.json").read_text())["metrics"]
        low, high = metrics["holdout"]["ci95"]
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        assert f"{100 * metrics['holdout']['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})" in row
    splits = json.loads((ROOT / "models" / "paper" / "bundle.json").read_text())["metrics"]["random_splits"]
    assert f"{100 * splits['test_mean']:.1f} % ± {100 * splits['test_std']:.1f}" in text
