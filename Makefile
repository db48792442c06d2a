# Everything that people and CI run. Each target sets up what it needs and can be run again at any time.
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_ARGS ?=
TEST_JOBS ?= 2

.PHONY: help venv engine base demo test check format clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml scripts/setup-venv
	@scripts/setup-venv $(VENV)
	@touch $@

venv: $(STAMP)  ## the virtual environment that repro itself runs in

engine:  ## a container engine: the one that answers, else Docker on Debian and Ubuntu
	@scripts/setup-engine

base: engine  ## a base image: from a registry, else made from Debian packages
	@scripts/make-base

demo: $(STAMP)  ## capture, build and verify the examples, without an engine where none answers
	@scripts/demo $(VENV)

test: $(STAMP) base  ## all tests, those against the real engine included
	@scripts/setup-test-tools
	@$(BIN)/python -m pytest -n $(TEST_JOBS) $(PYTEST_ARGS)

check: $(STAMP)  ## lint, types, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/shellcheck scripts/demo scripts/make-base scripts/setup-engine scripts/setup-test-tools scripts/setup-venv .ci/run
	@$(BIN)/lint-imports --no-cache

format: $(STAMP)  ## rewrite the code in the house format
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

clean:  ## remove what these targets made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache examples/*/.venv examples/*/.repro
