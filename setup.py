"""Build of the C extension. All other settings of the package are in pyproject.toml."""

import os
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

CORE = [path for folder in ("csrc", "csrc/kernels") for path in sorted(Path(folder).glob("*.[ch]"))]
SOURCES = ["src/genre_edge/mel/_logmel.pyx", *(str(path) for path in CORE if path.suffix == ".c")]

# One wheel for Python 3.12 and all later versions. The limited API of 3.11 has no fast calls: a hop takes
# 5 % longer. Free-threaded builds have no limited API. tools/limited_api_cost.py compares both.
IS_LIMITED = sys.version_info >= (3, 12) and not sysconfig.get_config_var("Py_GIL_DISABLED")
IS_LIMITED = IS_LIMITED and "GENRE_EDGE_FULL_API" not in os.environ
MACROS = [("_POSIX_C_SOURCE", "200809L")] + ([("Py_LIMITED_API", "0x030C0000")] if IS_LIMITED else [])

setup(
    ext_modules=[
        Extension(
            "genre_edge.mel._logmel",
            SOURCES,
            include_dirs=["csrc"],
            depends=[str(path) for path in CORE if path.suffix == ".h"],
            define_macros=MACROS,
            py_limited_api=IS_LIMITED,
            # -std=c11 disables fused multiply-add by default; on Arm it is faster and more accurate.
            extra_compile_args=["-std=c11", "-O3", "-ffp-contract=fast", "-fvisibility=hidden"],
            libraries=["m", "dl", "pthread"],
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp312"}} if IS_LIMITED else {},
)
