"""Build of the C extension. All other settings of the package are in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

CORE = [path for folder in ("csrc", "csrc/kernels") for path in sorted(Path(folder).glob("*.[ch]"))]
SOURCES = ["src/genre_edge/mel/_logmel.pyx", *(str(path) for path in CORE if path.suffix == ".c")]

setup(
    ext_modules=[
        Extension(
            "genre_edge.mel._logmel",
            SOURCES,
            include_dirs=["csrc"],
            depends=[str(path) for path in CORE if path.suffix == ".h"],
            define_macros=[("_POSIX_C_SOURCE", "200809L")],
            # -std=c11 disables fused multiply-add by default; on Arm it is faster and more accurate.
            extra_compile_args=["-std=c11", "-O3", "-ffp-contract=fast", "-fvisibility=hidden"],
            libraries=["m", "dl", "pthread"],
        )
    ]
)
