"""YAML on docs/recipes.md. systemd's units are in test_nightly_scan.py, MPD's output in test_live_pipes.py."""

import pytest

from tests.helpers.recipes import blocks

yaml = pytest.importorskip("yaml", reason="PyYAML is missing (a dependency of beets and Dask)")


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml(text: str) -> None:
    """Each block is YAML; each automation has a name, a trigger and an action."""
    content = yaml.safe_load(text)
    assert isinstance(content, dict)
    for automation in content.get("automation", []):
        assert automation["alias"] and automation["triggers"] and automation["actions"]


def test_yaml_found() -> None:
    """The page has a block."""
    assert blocks("yaml")
