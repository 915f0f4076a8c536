"""Skips the tests that need TensorFlow where it is not installed, without importing it during collection."""

from importlib.util import find_spec

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `train` if TensorFlow is missing."""
    if find_spec("tensorflow") is None:
        for item in items:
            if item.get_closest_marker("train"):
                item.add_marker(pytest.mark.skip(reason="training needs TensorFlow (extra `train`)"))
