# The few things to do with a checkout. Everything lands in .venv, from hashed constraints.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet --no-compile --progress-bar off
# Bytecode for every process to come, also where PYTHONDONTWRITEBYTECODE is set: without it each
# worker spends a second or more on compiling. pandas comes along with chDB and is never imported.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/(pandas|pip|setuptools|tests?|testing)/' $(VENV)/lib pipeline >/dev/null 2>&1 || true
# The first Python that really runs and can make environments (a shim may exist and not run).
FIND_PYTHON = for p in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	if "$$p" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		>/dev/null 2>&1; then echo "$$p"; exit 0; fi; done; \
	echo "no Python 3.11, 3.12 or 3.13 with venv found; name one with PYTHON=..." >&2; exit 1

.PHONY: help demo test chaos lint types bench check clean
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS=... goes to the command, as in: make test ARGS='-x tests/core'"

demo: $(VENV)/run.stamp ## Break a small shop, watch it recover, ask why in SQL (90 s)
	@$(BIN)/faultstream demo $(ARGS)

test: $(VENV)/dev.stamp ## Run all tests
	@$(BIN)/python -m pytest $(ARGS)

chaos: $(VENV)/dev.stamp ## Kill every worker under load, on both brokers, and count (10 min)
	@$(BIN)/python -m pytest -m chaos $(ARGS)

lint: $(VENV)/dev.stamp ## Check style, format and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(VENV)/dev.stamp ## Check types
	@$(BIN)/mypy

bench: $(VENV)/dev.stamp ## Measure the detect worker beside its peers
	@$(BIN)/python benchmarks/detect.py $(ARGS)

check: $(VENV)/run.stamp ## Validate topology.yaml
	@$(BIN)/faultstream check topology.yaml

clean: ## Remove the environment, caches and local state
	rm -rf $(VENV) .faultstream .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

$(VENV)/made.stamp:
	@python="$$($(FIND_PYTHON))"; echo "creating $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV); touch $@

$(VENV)/run.stamp: constraints/run.txt pyproject.toml | $(VENV)/made.stamp
	@echo "installing what the pipeline needs (a minute when nothing is cached)"
	@$(PIP) --require-hashes --only-binary :all: --requirement constraints/run.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(COMPILE)
	@touch $@

$(VENV)/dev.stamp: constraints/dev.txt pyproject.toml | $(VENV)/made.stamp
	@echo "installing what the tests need (a minute when nothing is cached)"
	@$(PIP) --require-hashes --only-binary :all: --requirement constraints/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@$(COMPILE)
	@touch $@ $(VENV)/run.stamp
