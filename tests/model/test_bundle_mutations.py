"""A damaged `bundle.json` loads, or is one short error: any value in any place, and any bytes."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genre_edge.errors import ModelError
from genre_edge.model.bundle import Bundle
from tests.helpers.bundles import STYLED

VALID = json.loads((STYLED / "bundle.json").read_text())
TEXT = (STYLED / "bundle.json").read_bytes()
MUTATIONS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

STRINGS = st.text(st.characters(codec=None, exclude_categories=()), max_size=8) | st.sampled_from(
    ["", "1", "minmax", "live", "\x1b[31m\n", "x" * 100_000, "\n" * 100_000, "\ud800", "\u202e"]
)
NUMBERS = st.sampled_from(
    [0, -0.0, -1, 1, 1.0, 2**31, 2**63, 10**30, 10**4000, 1e-320, 1e308, float("nan"), float("inf")]
)
DEEP = st.sampled_from([5, 100, 900]).map(lambda n: json.loads("[" * n + "]" * n))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NUMBERS | STRINGS | DEEP,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3),
    max_leaves=5,
)


def places(content: Any, depth: int = 4) -> list[tuple[Any, Any]]:
    """Return the (container, key) pairs of a JSON value's upper levels."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place for key, value in items if depth for place in [(content, key), *places(value, depth - 1)]]


def check(directory: Path, text: bytes) -> None:
    """Load a text as `bundle.json`: either a bundle that can be saved and loaded, or one short line."""
    (directory / "bundle.json").write_bytes(text)
    try:
        bundle = Bundle.load(directory)
    except ModelError as error:
        message = str(error)
        assert message.startswith(f"{directory}/bundle.json: ")
        message = message.removeprefix(str(directory))
        assert message.isprintable() and len(message) < 450, message
    else:
        saved = json.dumps(asdict(bundle), allow_nan=False)
        (directory / "bundle.json").write_text(saved)
        assert Bundle.load(directory) == bundle


@MUTATIONS
@given(data=st.data())
def test_bundle_any_value(tmp_path: Path, data: st.DataObject) -> None:
    """Values are replaced, removed and added anywhere."""
    content = json.loads(TEXT)
    for _ in range(data.draw(st.integers(1, 3))):
        found = places(content)
        container, key = found[data.draw(st.integers(0, len(found) - 1))]
        edit = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if edit == "replace":
            container[key] = data.draw(VALUES)
        elif edit == "remove":
            del container[key]
        elif isinstance(container, dict):
            container[data.draw(STRINGS)] = data.draw(VALUES)
        else:
            container.append(data.draw(VALUES))
    check(tmp_path, json.dumps(content).encode())


@MUTATIONS
@given(
    start=st.integers(0, len(TEXT)),
    length=st.integers(0, 40),
    inserted=st.binary(max_size=10)
    | st.sampled_from(
        [b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"NaN", b"-Infinity", b"1e999", b"\xef\xbb\xbf", b"true"]
    ),
)
def test_bundle_any_bytes(tmp_path: Path, start: int, length: int, inserted: bytes) -> None:
    """Bytes are replaced, removed and inserted anywhere."""
    check(tmp_path, TEXT[:start] + inserted + TEXT[start + length :])


@pytest.mark.parametrize(
    "value", [True, False, float("nan"), float("inf"), 10**4000, -(10**30), "1", [1], {}], ids=range(9)
)
@pytest.mark.parametrize("owner", ["bundle", "mel"])
def test_bundle_every_number_rejects(tmp_path: Path, owner: str, value: Any) -> None:
    """No field with a number accepts a boolean, a number that is not finite or far too large, or another type."""
    fields = VALID if owner == "bundle" else VALID["mel"]
    names = [name for name, old in fields.items() if isinstance(old, (int, float)) and not isinstance(old, bool)]
    assert len(names) >= 6
    for name in names:
        content = json.loads(TEXT)
        (content if owner == "bundle" else content["mel"])[name] = value
        (tmp_path / "bundle.json").write_text(json.dumps(content))
        with pytest.raises(ModelError, match=name):
            Bundle.load(tmp_path)
