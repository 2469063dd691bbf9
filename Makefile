# dnalm's tasks. `make` alone lists them; each sets up what it needs first.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 8501
# The first interpreter of at least 3.11 found on the PATH; `make PYTHON=/path/to/python run` names another.
PYTHON ?=

.PHONY: help install run test lint bench results screenshots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## create .venv and install dnalm with the pinned versions

$(STAMP): requirements.txt pyproject.toml scripts/install.sh scripts/fetch_igv.py dashboard/igv_copy.py
	@bash scripts/install.sh "$(VENV)" "$(PYTHON)"
	@touch $@

run: $(STAMP) ## start the dashboard on 127.0.0.1 (PORT=8501)
	@exec $(BIN)/dnalm serve --port $(PORT)

test: $(STAMP) ## lint, then every test (ARGS= goes to pytest)
	@bash scripts/test.sh $(ARGS)

lint: $(STAMP) ## ruff check and format check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

bench: $(STAMP) ## speed beside peers, as ratios on one core
	@exec $(BIN)/python -m benchmarks $(ARGS)

results: $(STAMP) ## measure everything in docs/results.md again (hours; resumable)
	@$(BIN)/dnalm bench run all --into data/results $(ARGS)
	@exec $(BIN)/dnalm bench report --from data/results -o docs

screenshots: $(STAMP) ## take the pictures that README and docs show
	@DNALM_CHROMIUM="$$(bash scripts/chromium.sh $(BIN))" exec $(BIN)/python scripts/screenshots.py $(ARGS)

clean: ## remove .venv, caches and build outputs (never your runs and models)
	@rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	@find dnalm dashboard tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
