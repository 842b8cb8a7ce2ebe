# Everything runs in .venv, made here from the hashed requirements. `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= auto
UNIT_WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PACKAGES := command_service projection_worker query_service shared deploy examples
LOCKED := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --no-header $(if $(UPGRADE),--upgrade)

.PHONY: help setup demo up down status test test-again test-unit test-kafka test-schema chromium test-pages test-pythons bandit audit-deps faults attack bench bench-quick bench-long test-outage check format configuration digests lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create the environment in .venv (all other targets do it when needed)

# asked each time, 50 ms: deploy/setup compares contents, so a moved folder or a new Python counts too
$(STAMP): FORCE
	@command -v $(PYTHON) >/dev/null \
		|| { echo "$(PYTHON) not found: install Python 3.11 or newer, or set PYTHON" >&2; exit 2; }
	@$(PYTHON) -m deploy.setup

FORCE:

demo: $(STAMP) ## Start everything, run the eight scenarios, stop everything
	@$(BIN)/teddy demo

up: $(STAMP) ## Start the local stack and keep it running
	@$(BIN)/teddy up

down: ## Stop the local stack with all its processes
	@if [ -x $(BIN)/teddy ]; then $(BIN)/teddy down; else echo "nothing was running"; fi

status: $(STAMP) ## Show the processes of the local stack, their health and lag
	@$(BIN)/teddy status

test: $(STAMP) ## Run all tests, on real servers that they start themselves; WORKERS=0 runs one by one
	@$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered
	@$(BIN)/python -m deploy.checks.coverage_floors

test-again: $(STAMP) ## Run the failures of `make test` again, one by one, and report which pass alone
	@$(BIN)/python -m pytest --no-cov -n 0 --exitfirst -rpfE --last-failed --last-failed-no-failures=none
	@$(BIN)/python -m deploy.checks.coverage_floors

test-unit: $(STAMP) ## Run the tests that need no server
	@$(BIN)/python -m pytest -n $(WORKERS:auto=$(UNIT_WORKERS)) tests/unit tests/architecture

test-kafka: $(STAMP) ## Run the tests on three brokers of Apache Kafka; ONE=1: a third of the integration tests, by the commit
	@$(BIN)/python -m tests.apache_kafka $(if $(ONE),--one)

test-schema: $(STAMP) ## Test both APIs with requests generated from their OpenAPI documents, as each role
	@$(BIN)/python -m pytest --no-cov tests/schema

chromium: ## Install the browser of `make test-pages` where it is missing, with apt
	@command -v chromium >/dev/null || { apt-get -qq update && apt-get -qq install -y chromium; }

test-pages: $(STAMP) ## Test the pages in Chromium, if it is installed; WRITE=1 takes the pictures in docs/images
	@$(BIN)/python -m tests.browser $(if $(WRITE),--write)

test-pythons: $(STAMP) ## Run the unit tests on every other supported Python found here; ONE=1: on one, by the commit
	@$(BIN)/python -m tests.pythons $(if $(ONE),--one) $(PYTHONS)

bandit: $(STAMP) ## Scan the code for security problems
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(PACKAGES)

audit-deps: $(STAMP) ## Look for known vulnerabilities in the pinned dependencies
	@$(BIN)/python -m deploy.checks.dependency_audit requirements.txt

faults: $(STAMP) ## Inject faults into a running stack and check its guarantees: CASE=, SEED=, SELECTION=ci, SLICE=, LIST=1
	@$(BIN)/python -m tests.faults $(if $(CASE),--case $(CASE)) $(if $(SEED),--seed $(SEED)) \
		$(if $(SELECTION),--selection $(SELECTION)) $(if $(SLICE),--slice $(SLICE)) $(if $(LIST),--list) \
		$(if $(LONG),--long) $(if $(CHECK),--check $(CHECK))

attack: $(STAMP) ## Run attacks against a temporary stack, six minutes at most: CASE=, SELECTION=ci, LIST=1
	@$(BIN)/python -m tests.attack $(if $(CASE),--case $(CASE)) $(if $(SELECTION),--selection $(SELECTION)) \
		$(if $(LIST),--list)

bench: $(STAMP) ## Measure speed beside baselines, 20 minutes at most; updates docs/performance.md: ROWS=, ROUNDS=, SIZE=
	@$(BIN)/python -m tests.bench $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(SIZE),--size $(SIZE))

bench-quick: $(STAMP) ## Check that every row of `make bench` can still be measured; the figures mean nothing
	@$(BIN)/python -m tests.bench --quick $(if $(ROWS),--rows $(ROWS))

bench-long: $(STAMP) ## Measure children of 1,000 to 300,000 events, five minutes at most; WRITE=1 updates the page
	@$(BIN)/python -m tests.bench.long_lives $(if $(WRITE),--write)

test-outage: $(STAMP) ## Stop each server in turn and compare the answers with docs/reliability.md; WRITE=1 updates it
	@$(if $(WRITE),$(BIN)/python -m tests.outage --write,$(BIN)/python -m pytest --no-cov tests/outage)

check: $(STAMP) ## Format, lint, types, import rules, shape of the code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m deploy.checks.shape
	@$(MAKE) --no-print-directory bandit
	@$(BIN)/python -m deploy.checks.configuration
	@$(BIN)/python -m deploy.checks.compose
	@$(BIN)/python -m deploy.checks.lock

format: $(STAMP) ## Format the code and apply the linter's fixes
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

configuration: $(STAMP) ## Generate the table of settings in docs/configuration.md
	@$(BIN)/python -m deploy.checks.configuration --write

digests: $(STAMP) ## Note the code that the versions of projections and snapshots stand for
	@$(BIN)/python -m tests.support.versioned_code

# not with .venv: that cannot be made while pyproject.toml names what is not locked yet
lock: ## Lock the dependencies of pyproject.toml; UPGRADE=1 takes newer versions
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -I -m pip install --quiet --no-deps --require-hashes -r deploy/setup/uv.txt
	@build/lock/bin/$(LOCKED) pyproject.toml -o requirements.txt
	@build/lock/bin/$(LOCKED) --extra dev pyproject.toml -c requirements.txt -o requirements-dev.txt
	@build/lock/bin/$(LOCKED) --group build -c requirements-dev.txt -o requirements-build.txt

clean: down ## Remove the environment and the local stack's data
	@rm -rf $(VENV) .teddy .setup.log build
