# `make demo` and `make test` do all the set-up that they need, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BUILD_INPUTS := pyproject.toml setup.py $(wildcard csrc/*.[ch] csrc/kernels/*.[ch]) src/genre_edge/_logmel.pyx
SONG := demo/song.ogg

.PHONY: demo test lint docs clean

demo: $(VENV)/.installed
	@echo
	$(BIN)/genre-edge classify $(SONG) --segments

test: $(VENV)/.installed-for-tests lint
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Tables and pages that are made from the code: the tests fail when they are out of date.
docs: $(VENV)/.installed-for-tests
	$(BIN)/python tools/conformance.py --write README.md
	$(BIN)/python tools/cli_docs.py --write docs/cli.md
	$(BIN)/genre-edge spectrogram $(SONG) -o docs/spectrogram.png

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(VENV)/.installed: $(BUILD_INPUTS) | $(VENV)/bin/python
	$(BIN)/pip install --quiet -e '.[picture]'
	@touch $@

$(VENV)/.installed-for-tests: $(BUILD_INPUTS) | $(VENV)/bin/python
	$(BIN)/pip install --quiet -e '.[test]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist src/*.egg-info src/genre_edge/_logmel.c src/genre_edge/*.so
