"""Deprecated aliases for the module paths of version 0.1; version 0.3 removes them.

`import genre_edge.classifier` imports `genre_edge.classify.classifier` and emits a DeprecationWarning.
"""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

_RENAMED = {
    "genre_edge.classifier": "genre_edge.classify.classifier",
    "genre_edge.features": "genre_edge.mel.features",
    "genre_edge.mel_config": "genre_edge.mel.config",
    "genre_edge.verdict": "genre_edge.classify.verdict",
}


class _RenamedModules(MetaPathFinder, Loader):
    """Finder and loader of the modules in `_RENAMED`."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return spec_from_loader(name, self) if name in _RENAMED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        new_name = _RENAMED[spec.name]
        warnings.warn(f"{spec.name} is deprecated, import {new_name}", DeprecationWarning, stacklevel=2)
        alias = ModuleType(spec.name)
        content = vars(import_module(new_name))
        alias.__dict__.update({name: value for name, value in content.items() if not name.startswith("__")})
        return alias

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: `create_module` has filled the module."""


def install() -> None:
    """Register the aliases with the import system; a second call does nothing."""
    if not any(isinstance(finder, _RenamedModules) for finder in sys.meta_path):
        sys.meta_path.append(_RenamedModules())
