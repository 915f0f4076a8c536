"""packaging/constraints.txt: pins with hashes that meet the bounds of pyproject.toml."""

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

EXTRAS = ("picture", "live", "station", "library", "cluster")
MACHINES = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "extra": "",
    }
    for python in ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
    for machine in ("x86_64", "aarch64")
]


class Pin(NamedTuple):
    """One version of a package."""

    requirement: Requirement
    n_hashes: int

    @property
    def version(self) -> str:
        return next(iter(self.requirement.specifier)).version


def read_pins() -> list[Pin]:
    text = (ROOT / "packaging" / "constraints.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [Pin(Requirement(line.split(" --hash", 1)[0]), line.count("--hash=sha256:")) for line in lines]


def dependencies() -> Iterator[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in (
        *project["dependencies"],
        *(one for extra in EXTRAS for one in project["optional-dependencies"][extra]),
    ):
        yield Requirement(text)


def test_every_pin_has_hashes() -> None:
    """Each line is one exact version with the hashes of its files, and nothing else: no index, no path."""
    pins = read_pins()
    assert len(pins) > 30
    for pin in pins:
        assert [clause.operator for clause in pin.requirement.specifier] == ["=="] and pin.requirement.url is None
        assert pin.n_hashes > 0, pin.requirement.name


@pytest.mark.parametrize(
    "machine", MACHINES, ids=lambda machine: f"{machine['python_version']} on {machine['platform_machine']}"
)
def test_pins_meet_the_bounds(machine: dict[str, str]) -> None:
    """Each dependency has exactly one pin on each machine, within its bounds."""
    pins = [pin for pin in read_pins() if pin.requirement.marker is None or pin.requirement.marker.evaluate(machine)]
    versions = {canonicalize_name(pin.requirement.name): pin.version for pin in pins}
    assert len(versions) == len(pins)
    for needed in dependencies():
        if needed.marker is None or needed.marker.evaluate(machine):
            assert needed.specifier.contains(versions[canonicalize_name(needed.name)]), needed


def test_security_page_names_the_bounds() -> None:
    """The table of SECURITY.md has the bounds of pyproject.toml."""
    rows = dict(re.findall(r"^\| (\w+) \| ([\d.]+) \|", (ROOT / "SECURITY.md").read_text(), re.MULTILINE))
    bounds = {one.name: one for one in dependencies()}
    assert rows and all(f">={version}" in str(bounds[name].specifier) for name, version in rows.items())
