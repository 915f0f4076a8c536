"""Deprecated aliases for earlier module paths, kept for one release after their renaming.

`import genre_edge.classifier` imports `genre_edge.classify.classifier` and emits a DeprecationWarning.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_RENAMED = {
    "genre_edge.classifier": "genre_edge.classify.classifier",
    "genre_edge.features": "genre_edge.mel.features",
    "genre_edge.mel_config": "genre_edge.mel.config",
    "genre_edge.verdict": "genre_edge.classify.verdict",
}


class _RenamedModules:
    """Finder and loader of the modules in `_RENAMED`.

    importlib and warnings are slow to import, so they are imported when an alias is used.
    """

    def find_spec(self, name: str, path: Any, target: Any = None) -> "ModuleSpec | None":
        if name not in _RENAMED:
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self)  # type: ignore[arg-type]

    def create_module(self, spec: "ModuleSpec") -> Any:
        import warnings
        from importlib import import_module

        new_name = _RENAMED[spec.name]
        warnings.warn(f"{spec.name} is deprecated, import {new_name}", DeprecationWarning, stacklevel=2)
        alias = type(sys)(spec.name)
        content = vars(import_module(new_name))
        alias.__dict__.update({name: value for name, value in content.items() if not name.startswith("__")})
        return alias

    def exec_module(self, module: Any) -> None:
        """Do nothing: `create_module` has filled the module."""


def install() -> None:
    """Register the aliases with the import system; a second call does nothing."""
    if not any(isinstance(finder, _RenamedModules) for finder in sys.meta_path):
        sys.meta_path.append(_RenamedModules())
