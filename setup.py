"""Builds the one compiled part; everything else about the package is in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

CORE = [path for room in ("csrc", "csrc/kernels") for path in sorted(Path(room).glob("*.[ch]"))]
SOURCES = ["src/genre_edge/mel/_logmel.pyx", *(str(path) for path in CORE if path.suffix == ".c")]

setup(
    ext_modules=[
        Extension(
            "genre_edge.mel._logmel",
            SOURCES,
            include_dirs=["csrc"],
            depends=[str(path) for path in CORE if path.suffix == ".h"],
            define_macros=[("_POSIX_C_SOURCE", "200809L")],
            # -std=c11 turns fused multiply-add off by default; on Arm it is free speed and accuracy.
            extra_compile_args=["-std=c11", "-O3", "-ffp-contract=fast", "-fvisibility=hidden"],
            libraries=["m", "dl", "pthread"],
        )
    ]
)
