# `make demo` and `make test` install what they need first.
PYTHON ?= python3
BIN := .venv/bin
SETUP_FLAGS ?=
CORE_VENV ?= .setup/core-venv

.PHONY: help setup setup-test setup-docs demo test quick test-core test-browser lint types fmt lock docs rooms clean

help:
	@echo "make demo       set up, then one improvement run through the ROS graph"
	@echo "make test       set up, then ruff, mypy and all tests"
	@echo "make quick      ruff, mypy, and the unit and contract tests but the slow ones"
	@echo "make setup      install everything into .venv (SETUP_FLAGS=--route=wheels|stock)"
	@echo "make test-core  unit and contract tests in an environment without any ROS package"
	@echo "make test-browser  the live page in a real Chromium (Debian's package chromium)"
	@echo "make docs       the documentation site, in build/site/"
	@echo "make lint, types, fmt, lock, clean"

setup:
	@$(PYTHON) tools/setup_env.py $(SETUP_FLAGS)

# The same, with tests and checks, and the interfaces that only tests need.
setup-test:
	@$(PYTHON) tools/setup_env.py $(SETUP_FLAGS) --with=test

demo: setup
	@$(BIN)/icpi demo

# One after the other; test/suite.py has the commands, and ends with a table of what ran.
test: setup-test
	@$(BIN)/python test/suite.py lint types tests

# For the work in between: lint, types, and the unit and contract tests but the slow ones.
quick: setup-test
	@$(BIN)/python test/suite.py lint types quick

lint types: setup-test
	@$(BIN)/python test/suite.py $@

fmt: setup-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The core alone: no ROS package is installed, nothing is built.
test-core:
	test -x $(CORE_VENV)/bin/python || $(PYTHON) -m venv $(CORE_VENV)
	$(CORE_VENV)/bin/python -m pip install --quiet --no-deps \
		-r requirements/runtime.txt -r requirements/view.txt -r requirements/bench.txt \
		-r requirements/local-llm.txt \
		-r requirements/dev.txt
	$(CORE_VENV)/bin/python -m pytest test/unit test/contract

# The live page in a real Chromium, drawn by the processor; PICTURES=FOLDER keeps pictures of it.
PICTURES ?=
test-browser: setup-test
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest $(if $(PICTURES),--pictures=$(PICTURES)) test/browser

# Exact versions and hashes for Python 3.11 to 3.13; run after changing requirements/*.in, and with
# UPGRADE=--upgrade for newer ones.
UPGRADE ?=
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes $(UPGRADE) \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: setup-test
	@set -e; given="-c requirements/held.constraints"; \
	for group in uv runtime ros view bench local-llm weights docs dev; do \
		alone=; test $$group = weights && alone=--no-deps; \
		$(LOCK) $$alone requirements/$$group.in $$given -o requirements/$$group.txt; \
		given="$$given -c requirements/$$group.txt"; done

# The picture of docs/architecture.md.
rooms: setup-test
	@$(BIN)/python tools/draw_rooms.py

# The documentation site in build/site/, links checked; it needs no server.
docs: setup-docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "build/site/index.html"

setup-docs:
	@$(PYTHON) tools/setup_env.py $(SETUP_FLAGS) --with=docs

clean:
	rm -rf .venv .setup build install log *.egg-info benchmarks/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find icpi_ros benchmarks launch test tools -name __pycache__ -prune -exec rm -rf {} +
