"""The direction of imports, and the folder table of docs/architecture.md."""

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_imports_follow_the_contracts() -> None:
    """import-linter keeps the contracts of pyproject.toml."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_architecture_page_lists_every_folder() -> None:
    """The table names every folder that holds code, and no folder that does not exist."""
    listed = set(re.findall(r"^\| `([\w/]+)/` \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE))
    files = subprocess.run(
        ["git", "ls-files", "src", "csrc", "tools"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    code = {str(Path(file).parent) for file in files if Path(file).suffix in {".py", ".c", ".h"}}
    assert code <= listed | {"src"}
    assert not [folder for folder in listed if not (ROOT / folder).is_dir()]
