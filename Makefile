# Everything that a checkout can do. `make` alone tells what. GNU make 4.3, Python 3.11 or newer;
# the rest is installed into .venv from requirements/*.txt, pinned and with hashes.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
COMPILED := .venv-compiled
NPM := tests/browser tests/real
PEERS := tests/real/node_modules/.package-lock.json
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
PIP_COMPILED := $(PIP:$(VENV)/%=$(COMPILED)/%)
UV ?= uv

.PHONY: help run test lint compiled format reference bench fuzz pins clean

help: ## say what there is to make (this)
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## start the demonstration on http://localhost:8000
	@exec $(BIN)/python examples/demo/run.py

test: lint $(NPM:=/node_modules/.package-lock.json) ## check style, types and imports, then run every test
	@echo "— tests"
	@$(BIN)/python -m pytest -n 2 $(if $(TESTS),$(TESTS),--cov --cov-report=term --cov-fail-under=97)

lint: $(VENV)/.test ## check style, types and the direction of imports
	@echo "— format"; $(BIN)/ruff format --check --quiet || \
	  { echo "Not in the house format: make format"; exit 1; }
	@echo "— style"; $(BIN)/ruff check --quiet
	@echo "— types"; $(BIN)/mypy --no-error-summary
	@echo "— imports"; $(BIN)/lint-imports --no-cache > $(VENV)/.imports || \
	  { cat $(VENV)/.imports; exit 1; }

# Where the package itself is not beside them, its tests run what is installed.
compiled: $(COMPILED)/.wheel ## build a wheel with its fast lane compiled, and test that lane (needs gcc)
	@echo "— tests of $$(cd $(COMPILED) && echo dist/*.whl)"
	@cd $(COMPILED)/checkout && rm -rf ssogate* && \
	  SSOGATE_TEST_COMPILED=1 ../bin/python -m pytest -q -n 3 tests/lane tests/worker \
	    tests/attack/test_smuggling.py tests/attack/test_hostile_upstream.py

format: $(VENV)/.test ## bring the sources into the house format
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet

reference: $(VENV)/.run ## write REFERENCE.md anew, from the program itself
	@$(BIN)/ssogate reference > $(VENV)/.reference
	@mv $(VENV)/.reference REFERENCE.md

fuzz: $(VENV)/.test ## send millions of broken requests to the gate and both its parsers (an hour)
	@SSOGATE_FUZZ=$${SSOGATE_FUZZ:-1000000} $(BIN)/python -m pytest -q --timeout 7200 \
	  tests/attack/test_fuzz.py
	@SSOGATE_FUZZ=$$(($${SSOGATE_FUZZ:-1000000} / 5)) $(BIN)/python -m pytest -q --timeout 14400 \
	  tests/lane/test_together.py

bench: $(VENV)/.test $(wildcard $(COMPILED)/.wheel) $(PEERS) ## measure the gate beside its peers
	@$(BIN)/python bench/tokens.py
	@$(BIN)/python bench/launches.py
	@$(BIN)/python bench/provider.py
	@$(BIN)/python bench/lane.py

pins: ## choose the versions anew: requirements/*.in -> *.txt (needs uv; UPGRADE=--upgrade)
	@for name in run test; do \
	  echo "— requirements/$$name.txt"; \
	  $(UV) pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	    --no-annotate --no-emit-index-url --no-emit-find-links $(UPGRADE) \
	    --custom-compile-command "make pins" \
	    pyproject.toml requirements/$$name.in -o requirements/$$name.txt; \
	done

clean: ## take away what was made, the demonstration's data too
	@rm -rf $(VENV) $(COMPILED) $(NPM:=/node_modules) var build dist .coverage .hypothesis .mypy_cache \
	  .pytest_cache .ruff_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- The virtual environment: a stamp for each list, made anew when the list changes ----------

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "— installing what the gate stands on"
	@$(PIP) install --require-hashes -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.run
	@echo "— installing what the tests need"
	@$(PIP) install --require-hashes -r requirements/test.txt
	@touch $@

# From a copy: the compiler leaves its work beside the sources, where it would hide later ones.
$(COMPILED)/.wheel: $(COMPILED)/.test $(shell find ssogate tests -name '*.py') pyproject.toml
	@$(BIN)/python -c 'import sysconfig; open(sysconfig.get_path("include") + "/Python.h")' \
	  2> /dev/null && command -v $${CC:-gcc} > /dev/null || { echo "What compiles for Python is" \
	  "not here: apt-get install gcc libc6-dev python3-dev"; exit 1; }
	@echo "— compiling"
	@rm -rf $(COMPILED)/checkout $(COMPILED)/dist && mkdir $(COMPILED)/checkout
	@tar -c --exclude './.git' --exclude './.[!g]*' --exclude node_modules --exclude var . | \
	  tar -xC $(COMPILED)/checkout
	@HATCH_BUILD_HOOKS_ENABLE=1 $(PIP) wheel --no-deps --no-build-isolation \
	  --wheel-dir $(COMPILED)/dist $(COMPILED)/checkout
	@$(PIP_COMPILED) install --no-deps --force-reinstall $(COMPILED)/dist/*.whl
	@touch $@

$(COMPILED)/.test: requirements/test.txt $(VENV)/.test
	@echo "— installing what the tests need, for the compiled gate"
	@$(BIN)/python -m venv $(COMPILED)
	@$(PIP_COMPILED) install --require-hashes -r requirements/test.txt
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { echo "There is no $(PYTHON): install Python 3.11" \
	  "or newer, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$($(PYTHON) --version) is too old: ssogate needs 3.11 or newer." \
	  "Name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || { \
	  echo "This Python cannot make virtual environments: apt-get install python3-venv"; exit 1; }
	@echo "— virtual environment ($$($(PYTHON) --version))"
	@$(PYTHON) -m venv $(VENV)

# --- What tests need of npm: the judge of accessibility, and programs that call the gate ---------

%/node_modules/.package-lock.json: %/package-lock.json %/package.json
	@command -v npm > /dev/null || { echo "There is no npm, which fetches what the tests need" \
	  "besides Python: apt-get install npm"; exit 1; }
	@echo "— installing what $* needs"
	@cd $* && npm ci --loglevel error > /dev/null
	@touch $@
