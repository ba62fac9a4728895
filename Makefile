# Every target works from a fresh clone: .venv is made when it is missing, and
# brought up to date when what the project needs has changed.
#
#   make test ARGS="-k adam"                 pass arguments on to pytest
#   make validate ARGS="--corpus mine.txt"   train on a text of your own
#   make PYTHON=python3.12 test              make .venv with another Python

PYTHON ?= python3
ARGS ?=
CUDA ?= cuda13

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PTX_STAMP := $(VENV)/.installed-ptx

.DELETE_ON_ERROR:
.PHONY: help validate figures bench test test-ptx test-gpu lint clean

help:
	@echo "make validate   check every claim and train the language model, quickly; print the tables"
	@echo "make figures    draw all figures; first run, quickly, what has no results yet"
	@echo "make bench      time a step on this machine, beside PyTorch's where it is installed"
	@echo "make test       run all tests, and the examples in the docstrings"
	@echo "make test-ptx   compile all CUDA kernels, which needs no GPU, and print their registers"
	@echo "make test-gpu   run the tests of the CUDA backend on this machine's GPU"
	@echo "make lint       check style, formatting and the direction of imports"
	@echo "make clean      remove caches and build outputs (keeps $(VENV) and results)"

# One stamp for everything: targets that run side by side must not install twice.
$(STAMP): setup.cfg pyproject.toml
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo "Installing what the project needs into $(VENV) (the first time takes a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[data,dev]'
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

# CUDA=cuda12 for an older driver
test-gpu: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(CUDA)]'
	@$(BIN)/python -m pytest tests/cuda/test_gpu.py $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
