# What a contributor types. Everything is installed into .venv, once, and again when pyproject.toml changes.
# `make PYTHON=python3.12 ...` chooses the interpreter; with uv on the PATH, uv does the installing.

PYTHON ?= $(shell for candidate in python3.13 python3.12 python3.11 python3; do \
	$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$candidate; break; }; \
	done)
VENV := .venv
BIN := $(VENV)/bin
TOOL_INSTALLED := $(VENV)/.tool-installed
DEVELOPMENT_INSTALLED := $(VENV)/.development-installed
PROOF_INSTALLED := $(VENV)/.proof-installed
BENCHMARK_INSTALLED := $(VENV)/.benchmark-installed
CODEMODDER := $(VENV)/codemodder
# Two workers keep a small machine answering; `make test PYTEST=-x` and the like add to it.
PYTEST ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.PHONY: help demo test field fuzz proof benchmark lint format clean

help:  ## what there is to type
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1\t\2/p' Makefile

demo: $(TOOL_INSTALLED)  ## print the explained patch for the legacy application in fixtures/
	@$(BIN)/session-codemods diff fixtures/legacy_app; status=$$?; \
	if [ $$status -gt 1 ]; then exit $$status; fi  # 1: there is a diff, as there should be

test: $(DEVELOPMENT_INSTALLED)  ## run the tests
	$(BIN)/python -m pytest -n auto -q $(PYTEST)

# `make field FIELD=--short` takes a few small packages; FIELD="--only NAME --keep" one, and leaves what came out.
# FIELD=--quick does not compare with runs without accelerations, which is half of the time.
FIELD ?=

field: $(TOOL_INSTALLED)  ## try the tool on pinned packages from PyPI and check what it promises; minutes
	@PYTHONPATH=tests $(BIN)/python -m field.run $(FIELD)

# `make fuzz FUZZ="--minutes 60 --seed 7"`; a program that breaks the tool is left, made small, in fuzz-failures/.
FUZZ ?= --minutes 10

fuzz: $(DEVELOPMENT_INSTALLED)  ## try the tool on programs that nobody would write; ten minutes
	@PYTHONPATH=tests $(BIN)/python -m hostile.fuzz $(FUZZ)

# `make proof PROOF="--database sqlite --short"` asks less; what comes out is in proof-report/, or where `-o` says.
PROOF ?=

proof: $(PROOF_INSTALLED)  ## the bundled application before and after its patch, under load; two minutes
	@PYTHONPATH=tests $(BIN)/python -m proof.run $(PROOF)

# `make benchmark BENCHMARK=--short` takes four minutes; what comes out is in benchmark-report/, or where `-o` says.
# BENCHMARK="--into README.md" puts the figures there, too; `--help` has what to leave out.
BENCHMARK ?=

benchmark: $(BENCHMARK_INSTALLED) | $(CODEMODDER)  ## how long it takes beside ruff, ripgrep and codemod runners; minutes
	@PYTHONPATH=tests:. $(BIN)/python -m benchmarks.run $(BENCHMARK)

lint: $(DEVELOPMENT_INSTALLED)  ## ruff and mypy, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEVELOPMENT_INSTALLED)  ## let ruff put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## take away what the other targets made, .venv too
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/field/.packages proof-report fuzz-failures \
		benchmark-report
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python 3.11 or newer found. Install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 2; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is not Python 3.11 or newer. Name another: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@if command -v uv >/dev/null 2>&1; then uv venv --quiet --python "$$(command -v $(PYTHON))" $(VENV); \
		else $(PYTHON) -m venv $(VENV); fi || { rm -rf $(VENV); exit 1; }

EVERYTHING := .[test,lint,demo-app,postgres,proof]
PROOF_NEEDS := .[demo-app,postgres,proof]
BENCHMARK_NEEDS := .[benchmark]

# $(call install,REQUIREMENT)
install = if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python --editable "$(1)"; \
	else $(BIN)/python -m pip install --quiet --editable "$(1)"; fi

$(TOOL_INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) ..." >&2
	@$(call install,.)
	@touch $@

$(DEVELOPMENT_INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) with what tests and linters need ..." >&2
	@$(call install,$(EVERYTHING))
	@touch $(TOOL_INSTALLED) $(PROOF_INSTALLED) $@

$(PROOF_INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) with what the proof needs ..." >&2
	@$(call install,$(PROOF_NEEDS))
	@touch $(TOOL_INSTALLED) $@

$(BENCHMARK_INSTALLED): pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV) with what the benchmark needs ..." >&2
	@$(call install,$(BENCHMARK_NEEDS))
	@touch $(TOOL_INSTALLED) $@

# An environment of its own: it wants an older libcst. Where it cannot be installed, the benchmark goes without it.
$(CODEMODDER): | $(BIN)/python
	@echo "Installing codemodder into $(CODEMODDER) ..." >&2
	@{ if command -v uv >/dev/null 2>&1; \
		then uv venv --quiet --python $(BIN)/python $@ && uv pip install --quiet --python $@/bin/python codemodder==6.5.5; \
		else $(BIN)/python -m venv $@ && $@/bin/python -m pip install --quiet codemodder==6.5.5; fi; } || \
		{ rm -rf $@; echo "codemodder cannot be installed; going without it" >&2; }
