# Every target works from a fresh clone: .venv is made when it is missing, and
# brought up to date when what the project needs has changed.
#
#   make test ARGS="-k adam"                 pass arguments on to pytest
#   make validate ARGS="--corpus mine.txt"   train on a text of your own
#   make PYTHON=python3.12 test              make .venv with another Python

PYTHON ?= python3
ARGS ?=
CUDA ?= cuda13
TORCH ?= torch==2.13.0

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PTX_STAMP := $(VENV)/.installed-ptx
DOCS_STAMP := $(VENV)/.installed-docs
DIST_STAMP := $(VENV)/.installed-dist

.DELETE_ON_ERROR:
.PHONY: help validate figures bench test test-ptx test-emulated test-torch test-gpu lint docs dist clean

help:
	@echo "make validate   check every claim and train the language model, quickly; print the tables"
	@echo "make figures    draw all figures; first run, quickly, what has no results yet"
	@echo "make bench      time a step on this machine, beside PyTorch's where it is installed"
	@echo "make test       run all tests, and the examples in the docstrings"
	@echo "make test-ptx   compile all CUDA kernels, which needs no GPU, and print their registers"
	@echo "make test-emulated  run the tests of the CUDA backend on an emulated GPU (Linux, gcc)"
	@echo "make test-torch run the tests of the optimizers for PyTorch, which is installed for it"
	@echo "make test-gpu   run the tests of the CUDA backend on this machine's GPU"
	@echo "make lint       check style, formatting, the direction of imports and types"
	@echo "make docs       build the documentation into build/docs"
	@echo "make dist       build sdist and wheel, install the wheel elsewhere and try it"
	@echo "make clean      remove caches and build outputs (keeps $(VENV) and results)"

# One stamp for everything: targets that run side by side must not install twice.
$(STAMP): setup.cfg pyproject.toml
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the project needs into $(VENV) (the first time takes a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[lab,data,dev]'
	@touch $@

validate: $(STAMP)
	@$(BIN)/python -m analysis run claims language-model --quick $(ARGS)

figures: $(STAMP)
	@$(BIN)/python -m figures --run-missing $(ARGS)

# Anew at each call: stored timings are another machine's. `.venv/bin/pip install -e '.[compare]'`
# puts PyTorch beside ours.
bench: $(STAMP)
	@rm -rf build/bench
	@$(BIN)/python -m analysis run speed --out build/bench $(ARGS)

test: $(STAMP)
	@$(BIN)/python -m pytest -n auto $(ARGS)

# The compiler alone (0.5 GB unpacked), not the toolkit that running kernels takes.
$(PTX_STAMP): $(STAMP)
	@echo "Installing the CUDA compiler into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[ptx]'
	@touch $@

test-ptx: $(PTX_STAMP)
	@$(BIN)/python -m pytest -s tests/cuda/test_ptx.py $(ARGS)

# What nvidia-nvjitlink links is a GPU's machine code, which cannot be run here.
test-emulated: $(PTX_STAMP)
	@$(BIN)/python -m tests.cuda.emulator -m pytest -n auto tests/cuda/emulator \
		tests/cuda/test_gpu.py tests/cuda/test_size.py tests/cuda/test_streams.py \
		tests/cuda/test_first_light.py $(ARGS)

# One version, installed with the extra: left to choose, pip downloads gigabytes. Another one:
# TORCH=torch==2.4.1
test-torch: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		'$(TORCH)' --editable '.[test-torch]'
	@$(BIN)/python -m pytest -n auto tests/pytorch sketchlab/torch $(ARGS)

# CUDA=cuda12 for an older driver
test-gpu: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(CUDA)]'
	@$(BIN)/python -m pytest tests/cuda/test_gpu.py tests/cuda/test_size.py \
		tests/cuda/test_streams.py tests/cuda/test_first_light.py $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

$(DOCS_STAMP): $(STAMP)
	@echo "Installing Sphinx into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

# Anew at each call: the gallery and the tables are made from what results/ holds now.
docs: $(DOCS_STAMP)
	@rm -rf docs/generated build/docs
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet $(ARGS) docs build/docs
	@echo "The first page is build/docs/index.html"

$(DIST_STAMP): $(STAMP)
	@echo "Installing build and twine into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	@touch $@

# DIST_PYTHONS="python3.10 python3.13": with which the wheel is tried; by default the oldest and
# the newest that are found here.
DIST_PYTHONS ?=

dist: $(DIST_STAMP)
	@rm -rf dist build/lib build/bdist.*
	@$(BIN)/python -m build --outdir dist .
	@$(BIN)/twine check --strict dist/*
	@$(BIN)/python tests/release/check.py dist/*.whl $(DIST_PYTHONS)

clean:
	rm -rf build dist docs/generated *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis .mypy_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
