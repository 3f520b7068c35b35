# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
# Nothing is installed outside .venv, static/vendor and tests/js/node_modules.

MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
STEP := packaging/step.sh
# Twice quiet: an index of the user that lacks a package is no news.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
CONSTRAINTS := packaging/constraints.txt
TEST_CONSTRAINTS := packaging/constraints-test.txt
# The oldest first: it is the one the tests run on.
PYTHONS := python3.11 python3.12 python3.13 python3
PYTHON_IS_FIT := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))

# Installing again is needed when one of these is newer than the stamp, or the browser files are gone.
INSTALL_INPUTS := setup.cfg pyproject.toml $(wildcard packaging/*.*)
RUN_STAMP := .venv/installed-run
TEST_STAMP := .venv/installed-test
BENCH_STAMP := .venv/installed-bench
VENDOR_MISSING := $(if $(wildcard static/vendor/lightweight-charts.mjs),,always)

# Folders may hold no Python yet, and mypy stops at one that holds none.
PYTHON_FOLDERS := $(foreach folder,appliance tests bench packaging,\
	$(if $(shell find $(folder) -name '*.py' -print -quit 2>/dev/null),$(folder)))

JS_STAMP := $(if $(wildcard tests/js/package.json),tests/js/node_modules/.installed)

# Not offered before they exist.
ABSENT := $(if $(wildcard bench/run.py),,bench) $(if $(wildcard tests/fault/test_*.py),,fault)

# npm comes from .venv on machines without Node.js (see JS_STAMP).
export PATH := $(CURDIR)/$(BIN):$(PATH)
# CI adds a report here; a developer a selection: make test PYTEST_ARGS='-k candle'
PYTEST_ARGS ?=
# Files are dealt to two processes in the order of collection: tests/conftest.py puts the browser's
# last. For a debugger: make test PYTEST_ARGS='-n 0'
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0

.PHONY: always help run test lint format coverage bench fault picture lock clean

help: ## list the targets
	@awk -F ':.*## ' -v absent=' $(ABSENT) ' '/^[a-z]+:.*## / && !index(absent, " " $$1 " ") \
	  {printf "make %-10s%s\n", $$1, $$2}' Makefile

run: $(RUN_STAMP) ## start the appliance on port 3000; options in ARGS, e.g. ARGS='--port 3001'
	@exec $(BIN)/appliance serve $(ARGS)

test: lint ## check everything: style, types, layers, JavaScript, tests
	@$(BIN)/python -m pytest -m 'not fault' $(PARALLEL) $(PYTEST_ARGS)

lint: $(TEST_STAMP) $(JS_STAMP) ## check style, types, layers and JavaScript only
	@$(STEP) 'ruff check' $(BIN)/ruff check
	@$(STEP) 'ruff format' $(BIN)/ruff format --check --diff
	@$(STEP) 'import-linter' $(BIN)/lint-imports
ifneq ($(JS_STAMP),)
	@$(STEP) 'javascript' npm run --silent --prefix tests/js check
endif
	@$(STEP) 'mypy' $(BIN)/mypy $(PYTHON_FOLDERS)

format: $(TEST_STAMP) ## sort imports and format the Python code
	@$(BIN)/ruff check --quiet --select I --fix
	@$(BIN)/ruff format --quiet

coverage: $(TEST_STAMP) ## run the tests and name the lines they miss
	@$(BIN)/python -m pytest -m 'not fault' $(PARALLEL) --cov $(PYTEST_ARGS)

bench: $(BENCH_STAMP) $(JS_STAMP) ## measure, with ratios against the bare engine and server
	@$(BIN)/python bench/run.py $(ARGS)

fault: $(TEST_STAMP) $(JS_STAMP) ## kill processes and fill disks on purpose
	@$(BIN)/python -m pytest -m fault $(PYTEST_ARGS)

picture: $(TEST_STAMP) ## take the README's pictures from the real page
	@$(BIN)/python packaging/picture.py

lock: ## pin anew everything that setup.cfg's dependencies need in turn
	@packaging/lock.sh

clean: ## remove what can be made again; data/ stays
	@rm -rf .venv build dist *.egg-info static/vendor tests/js/node_modules test-results htmlcov
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c '$(PYTHON_IS_FIT)' 2>/dev/null; then exec $$python -m venv .venv; fi; \
	done; \
	echo 'Python 3.11 or newer with its venv module is needed:' >&2; \
	echo '  sudo apt-get install --yes python3 python3-venv' >&2; \
	exit 1

$(RUN_STAMP): $(INSTALL_INPUTS) $(VENDOR_MISSING) | $(BIN)/python
	@echo 'Installing into .venv: about 1 GB, a minute or two, this once.'
	@$(PIP_INSTALL) --constraint $(CONSTRAINTS) --editable .
	@touch $@

$(TEST_STAMP): $(INSTALL_INPUTS) $(VENDOR_MISSING) | $(BIN)/python
	@$(STEP) 'install' $(PIP_INSTALL) --constraint $(CONSTRAINTS) \
	  --constraint $(TEST_CONSTRAINTS) --editable '.[test]'
	@touch $@ $(RUN_STAMP)

$(BENCH_STAMP): $(INSTALL_INPUTS) | $(TEST_STAMP)
	@$(STEP) 'install peers' $(PIP_INSTALL) --constraint $(CONSTRAINTS) \
	  --constraint $(TEST_CONSTRAINTS) --editable '.[bench]'
	@touch $@

# Not `npm ci`: it wants biome's binaries of every platform in the lock, and a mirror may lack some.
# This keeps to the lock as well, checks its hashes and leaves it as it is. It also brings anvil,
# the node that tests follow, where there is one for the machine (x86-64 Linux).
tests/js/node_modules/.installed: tests/js/package.json tests/js/package-lock.json | $(TEST_STAMP)
	@command -v npm >/dev/null || $(STEP) 'install npm' $(PIP_INSTALL) \
	  "$$(sed -n 's/^NODE_REQUIREMENT = "\(.*\)"$$/\1/p' packaging/backend.py)"
	@$(STEP) 'install javascript' npm install --no-save --prefix tests/js --ignore-scripts \
	  --no-audit --no-fund
	@touch $@
