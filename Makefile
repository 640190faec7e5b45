# Every target sets up what it needs in .venv, once, and is quiet unless something fails.
# PYTHON picks another interpreter (3.11 or newer):  make clean test PYTHON=python3.12
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?=
BENCH ?=
DATASET ?= wine

RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev
SETUP := ./scripts/set-up

.PHONY: help demo test check format bench coverage docs pins clean

help: ## say what there is
	@sed -nE 's/^([a-z]+):.*## /make \1\t/p' Makefile | expand -t 18

demo: $(RUN_READY) ## run the example on real data and print the result
	@./scripts/demo $(BIN) $(DATASET)

test: $(DEV_READY) ## run all tests (TESTS=tests/model picks some)
	@echo "Running the tests"
	@$(BIN)/python -m pytest $(TESTS)

check: $(DEV_READY) ## lint, formatting, types, imports, no registry addresses
	@./scripts/check $(BIN)

format: $(DEV_READY) ## format the code and fix what can be fixed
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

bench: $(RUN_READY) ## measure, ours beside its peers (BENCH="--ours-only --only chain")
	@$(BIN)/python -m benchmarks $(BENCH)

coverage: $(DEV_READY) ## tests with coverage, slots and forked processes included
	@./scripts/coverage $(BIN) $(TESTS)

docs: $(DEV_READY) ## write docs/reference and the async stub anew from the code
	@$(BIN)/python docs/generate.py
	@$(BIN)/python scripts/stub.py

pins: ## choose the newest versions anew and write constraints.txt
	@PYTHON=$(PYTHON) ./scripts/pin

clean: ## remove what was built, measured or set up here (never your runs)
	@echo "Removing .venv, caches and measurements"
	@rm -rf $(VENV) benchmarks/.venvs benchmarks/results build dist htmlcov .coverage .coverage.* \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find src tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_READY): pyproject.toml constraints.txt
	@PYTHON=$(PYTHON) $(SETUP) $(VENV) examples
	@touch $@

$(DEV_READY): pyproject.toml constraints.txt
	@PYTHON=$(PYTHON) $(SETUP) $(VENV) dev
	@touch $(RUN_READY) $@
