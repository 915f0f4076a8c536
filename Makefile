# `make demo` and `make test` install everything that they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD_INPUTS := pyproject.toml setup.py $(wildcard csrc/*.[ch] csrc/kernels/*.[ch]) src/genre_edge/mel/_logmel.pyx
SONG := demo/song.ogg
WORKERS ?= 2

.PHONY: demo test test-fast check format docs site fuzz constraints sbom clean

# Classify the shipped song.
demo: $(VENV)/.installed
	@echo
	$(BIN)/genre-edge classify $(SONG) --segments

# All checks and tests; CI runs this. Tests of one file share a worker and its fixtures.
test: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# Fast tests for most changes: no compiler, no browser, no training.
test-fast: $(VENV)/.installed-for-tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow and not browser and not train and not native"

# Lint, and check format, types and the direction of imports.
check: $(VENV)/.installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.installed-for-tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Regenerate tables and pages; tests fail if they are out of date.
docs: $(VENV)/.installed-for-tests
	$(BIN)/python -m tools.conformance --write docs/mel.md
	$(BIN)/python -m tools.count_instructions --write docs/mel.md
	$(BIN)/python -m tools.cli_docs --write docs/cli.md
	$(BIN)/python -m tools.golden --write src/genre_edge/diagnostics/golden.json
	$(BIN)/genre-edge spectrogram $(SONG) -o docs/spectrogram.png

# Build the docs as a website in build/site/.
site: $(VENV)/.installed-for-tests
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(VENV)/.installed: $(BUILD_INPUTS) | $(VENV)/bin/python
	$(BIN)/pip install --quiet -e '.[picture]'
	@touch $@

$(VENV)/.installed-for-tests: $(BUILD_INPUTS) | $(VENV)/bin/python
	$(BIN)/pip install --quiet -e '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-for-release: $(BUILD_INPUTS) | $(VENV)/bin/python
	$(BIN)/pip install --quiet -e '.[release]'
	@touch $@

# Update packaging/constraints.txt to the newest versions: Python 3.10 to 3.14 on x86_64 and aarch64, hashes of all files.
CONSTRAINTS := packaging/constraints.txt
constraints: $(VENV)/.installed-for-release
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-annotate \
		--custom-compile-command "make constraints" --extra picture --extra live --extra station --extra library --extra cluster \
		--constraint packaging/constraints.in --output-file $(CONSTRAINTS) pyproject.toml
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-annotate \
		--custom-compile-command "make constraints" --output-file packaging/build.txt packaging/build.in

# Software bill of materials (CycloneDX) of genre-edge with the versions of packaging/constraints.txt.
SBOM := dist/genre-edge.cdx.json
sbom: $(VENV)/.installed-for-release
	$(BIN)/uv venv --quiet --clear build/sbom
	$(BIN)/uv pip install --quiet --python build/sbom --require-hashes --requirement $(CONSTRAINTS)
	@mkdir -p dist
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-format JSON \
		--output-file $(SBOM) build/sbom/bin/python

# Fuzz the C core with clang's libFuzzer; inputs that fail are saved in build/.
RUNS ?= 1000000
CLANG ?= $(shell command -v clang || command -v clang-14 || command -v clang-16 || command -v clang-19)
fuzz:
	@mkdir -p build/corpus
	$(CLANG) -std=c11 -D_POSIX_C_SOURCE=200809L -O2 -g -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all csrc/test/fuzz_logmel.c csrc/*.c csrc/kernels/*.c \
		-o build/fuzz_logmel -lm -ldl -lpthread
	build/fuzz_logmel -runs=$(RUNS) -max_len=128 -artifact_prefix=build/ build/corpus csrc/test/corpus

clean:
	rm -rf $(VENV) build dist src/*.egg-info src/genre_edge/mel/_logmel.c src/genre_edge/mel/*.so
