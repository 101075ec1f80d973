# `make help` lists what can be done.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The distributed engine wants pandas below 3 and so an environment of its own.
SPARK_VENV := .venv-spark
# So do the tools that the benchmark compares with.
PEERS := dlt sqlmesh superset
UV_VERSION := 0.13.9
# The demonstration keeps its data apart from a real installation's.
DEMO := LOUPAN_DATA_DIR=var/demo
# One more than there are cores: for a quarter of their time tests wait for disks, browsers and clocks.
TEST_WORKERS = $(shell $(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')
# Bytecode is written at install time: starting dbt without it takes twice as long.
INSTALL := env -u PYTHONDONTWRITEBYTECODE UV_LINK_MODE=copy $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python

.PHONY: help
help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/uv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Loupan needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/uv
	@echo "Installing Loupan into $(VENV) …"
	$(INSTALL) -r requirements/run.txt
	$(INSTALL) --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(VENV)/.run
	@echo "Installing what tests and checks need …"
	$(INSTALL) -r requirements/dev.txt
	@touch $@

.PHONY: install
install: $(VENV)/.run ## Make .venv with the loupan command

.PHONY: demo
demo: install ## Make sample data and accounts, refresh, and serve it
	@set -e; export $(DEMO); \
	if [ ! -e var/demo/.sample_made ]; then \
	  rm -rf var/demo && $(BIN)/loupan crm init && $(BIN)/loupan sample && touch var/demo/.sample_made; \
	fi; \
	$(BIN)/loupan refresh && $(BIN)/loupan account demo && exec $(BIN)/loupan serve

.PHONY: test
test: $(VENV)/.dev ## Run all tests, the fast ones first
	@bash tests/support/system_packages.sh
	$(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

$(SPARK_VENV)/.run: requirements/spark.txt | $(BIN)/uv
	@echo "Installing the distributed engine into $(SPARK_VENV) …"
	$(PYTHON) -m venv --without-pip $(SPARK_VENV)
	env -u PYTHONDONTWRITEBYTECODE UV_LINK_MODE=copy $(BIN)/uv pip install --quiet --compile-bytecode --python $(SPARK_VENV)/bin/python -r requirements/spark.txt
	@touch $@

.PHONY: spark
spark: $(SPARK_VENV)/.run ## Make .venv-spark, the environment of the distributed engine
	@bash tests/support/system_packages.sh java

.PHONY: test-spark
test-spark: spark $(VENV)/.dev ## Build all models on Spark too and compare the results
	SPARK_TESTS=1 $(BIN)/python -m pytest tests/spark --numprocesses 2 --dist loadfile

.PHONY: lint
lint: $(VENV)/.dev ## Check style, types, SQL, dependencies and secrets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models
	$(BIN)/python -m tests.support.dependency_audit
	$(BIN)/python -m tests.support.secret_scan

.PHONY: docs
docs: $(VENV)/.dev ## Write the table of functions, pages and tests
	$(BIN)/python -m tests.functions_table

.PHONY: pictures
pictures: $(VENV)/.dev ## Take the pictures of the README anew
	$(BIN)/python -m tests.pictures

.venv-peers-%/.run: requirements/peers-%.txt | $(BIN)/uv
	@echo "Installing $* …"
	$(PYTHON) -m venv --without-pip .venv-peers-$*
	env -u PYTHONDONTWRITEBYTECODE UV_LINK_MODE=copy $(BIN)/uv pip install --quiet --compile-bytecode --python .venv-peers-$*/bin/python -r $<
	@touch $@

.PHONY: peers
peers: $(PEERS:%=.venv-peers-%/.run) ## Make the environments of the tools that the benchmark compares with

.PHONY: bench
bench: $(VENV)/.dev peers ## Measure speed and memory and write docs/performance.md (SCALE=1)
	@bash tests/support/system_packages.sh
	$(BIN)/python -m tests.benchmarks refresh startup gateway pages lists recovery install peers --scale $(or $(SCALE),1) --write
	$(BIN)/python -m tests.benchmarks refresh --scale $(or $(SCALE),1) --source postgresql --write

.PHONY: faults
faults: $(VENV)/.dev ## Inject faults into refreshes, hundreds of times (hours, as root)
	@bash tests/support/system_packages.sh
	$(BIN)/python -m tests.faults

.PHONY: lock
lock: | $(BIN)/uv ## Write the lock files anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --extra postgres pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --extra postgres --extra dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --group spark -o requirements/spark.txt
	for peer in $(PEERS); do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --group peers-$$peer -o requirements/peers-$$peer.txt || exit 1; done

.PHONY: sources
sources: $(VENV)/.run ## Declare the CRM schema to dbt anew
	$(BIN)/python -m data_entry.schema.dbt_sources
