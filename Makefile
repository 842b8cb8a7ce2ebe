# Everything runs in .venv, made here from the hashed requirements. `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= auto
PACKAGES := command_service projection_worker query_service shared deploy examples
LOCKED := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --no-header

.PHONY: help setup demo up down status test test-unit test-kafka test-schema bandit audit-deps faults check format configuration lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make the environment in .venv (all other targets do it themselves)

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: $(STAMP) ## Start everything, run the eight scenarios, stop everything
	@$(BIN)/teddy demo

up: $(STAMP) ## Start the local stack and keep it running
	@$(BIN)/teddy up

down: ## Stop the local stack; no process stays
	@if [ -x $(BIN)/teddy ]; then $(BIN)/teddy down; else echo "nothing was running"; fi

status: $(STAMP) ## Show how the local stack does
	@$(BIN)/teddy status

test: $(STAMP) ## Run all tests, on real servers that they start themselves; WORKERS=0 runs one by one
	@$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered
	@$(BIN)/python -m deploy.checks.coverage_floors

test-unit: $(STAMP) ## Run the tests that need no server, in seconds
	@$(BIN)/python -m pytest -n $(WORKERS:auto=logical) tests/unit tests/architecture

test-kafka: $(STAMP) ## Run the tests on three brokers of Apache Kafka; needs Java 17 and Maven
	@$(BIN)/python -m tests.apache_kafka

test-schema: $(STAMP) ## Ask both APIs all that their OpenAPI documents say, good and bad
	@$(BIN)/python -m pytest --no-cov tests/schema

bandit: $(STAMP) ## Look for unsafe code
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(PACKAGES)

audit-deps: $(STAMP) ## Ask for known holes in the pinned dependencies; says so where nobody answers
	@$(BIN)/python -m deploy.checks.dependency_audit requirements.txt

faults: $(STAMP) ## Hurt the system and check its promises: CASE=, SEED=, SELECTION=ci, LIST=1
	@$(BIN)/python -m tests.faults $(if $(CASE),--case $(CASE)) $(if $(SEED),--seed $(SEED)) \
		$(if $(SELECTION),--selection $(SELECTION)) $(if $(LIST),--list) \
		$(if $(LONG),--long) $(if $(CHECK),--check $(CHECK))

check: $(STAMP) ## Format, lint, types, import rules, function length
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m deploy.checks.function_length $(PACKAGES) tests
	@$(MAKE) --no-print-directory bandit
	@$(BIN)/python -m deploy.checks.configuration
	@$(BIN)/python -m deploy.checks.compose

format: $(STAMP) ## Format the code and mend what the linter can
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

configuration: $(STAMP) ## Write the table of settings in docs/configuration.md anew
	@$(BIN)/python -m deploy.checks.configuration --write

lock: $(STAMP) ## Pin the dependencies of pyproject.toml anew
	@$(BIN)/pip install --quiet --disable-pip-version-check uv
	@$(BIN)/$(LOCKED) pyproject.toml -o requirements.txt
	@$(BIN)/$(LOCKED) --extra dev pyproject.toml -o requirements-dev.txt -c requirements.txt

clean: down ## Remove the environment and the local stack's data
	@rm -rf $(VENV) .teddy
