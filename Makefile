# Everything a newcomer types. `make demo` and `make test` do all set-up themselves; nothing outside this folder is written,
# except that missing system packages are installed when this runs as root on Debian.

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.DEFAULT_GOAL := help

VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 3
# Cool-down: a release younger than this is not locked, so that a hijacked one has been noticed by then.
COOLDOWN ?= 7 days
UV ?= uv

SOURCES := $(shell find src -type f -not -name '*.pyc' 2>/dev/null | sed 's/ /\\ /g')
# Tests meet the installed wheel, never src/; AF_INET sockets are off (the daemon's unix socket is not).
PYTEST := env -u PYTHONPATH ASSAYMARK_TESTS=wheel PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m pytest
PYTEST_GUARDS := --disable-socket --allow-unix-socket --timeout=300
LOCK := env -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL $(UV) pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
        --python-version 3.11 --universal --exclude-newer '$(COOLDOWN)' $(LOCK_FLAGS)

EXTRAS := --extra server --extra postgres --extra passkeys --extra s3 --extra aws --extra pdf --extra trust --extra pkcs11

.PHONY: help
help: ## what there is to do
	@echo 'make <target>:'
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

# --- set-up: each stamp is newer than what it was made from, so a second run does nothing --------------------------------------

$(VENV)/.tools: requirements/dev.lock requirements/alone.lock .ci/set-up
	@sh .ci/set-up $(VENV)
	@touch $@

$(VENV)/.wheel: $(VENV)/.tools pyproject.toml README.md LICENSE NOTICE $(SOURCES)
	@rm -rf dist; said=$$($(BIN)/python -m hatchling build -t wheel -d dist 2>&1) || { printf '%s\n' "$$said" >&2; exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-index --force-reinstall dist/*.whl
	@touch $@

.PHONY: setup
setup: $(VENV)/.wheel ## virtual environment from the hash-locked requirements, with the built wheel in it

# --- the gate ------------------------------------------------------------------------------------------------------------------

.PHONY: test
test: lint types layers unit ## everything below 25 minutes: lint, types, layers, then the tests on the built wheel

.PHONY: lint
lint: $(VENV)/.tools ## ruff: rules and format
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo 'error: not formatted; run: $(BIN)/ruff format' >&2; exit 1; }

.PHONY: types
types: $(VENV)/.wheel ## mypy --strict
	@$(BIN)/mypy $(foreach folder,src tests acceptance benchmarks demo,$(if $(shell find $(folder) -name '*.py' 2>/dev/null | head -n 1),$(folder)))

.PHONY: layers
layers: $(VENV)/.tools ## import-linter: who may import whom
	@said=$$(PYTHONPATH=src $(BIN)/lint-imports 2>&1) || { printf '%s\n' "$$said" >&2; exit 1; }

.PHONY: unit
unit: $(VENV)/.wheel ## the tests on the built wheel, in random order (ARGS='-k name' to choose)
	@sh .ci/system-packages
	@$(PYTEST) $(PYTEST_GUARDS) -q -n $(WORKERS) --dist loadscope -m 'not soak' $(ARGS)

# --- the long ones -------------------------------------------------------------------------------------------------------------

.PHONY: acceptance
acceptance: $(VENV)/.wheel ## the promises of the issues, each shown by a command (long)
	@sh .ci/system-packages
	@$(PYTEST) -p no:randomly $(ARGS) acceptance

.PHONY: soak
soak: $(VENV)/.wheel ## fuzzing, scale and kills (hours)
	@sh .ci/system-packages
	@$(PYTEST) --disable-socket --allow-unix-socket -n $(WORKERS) --dist loadscope -m soak $(ARGS)
	@$(PYTEST) --disable-socket --allow-unix-socket -n $(WORKERS) --dist loadscope --hypothesis-profile chance -m 'hypothesis and not soak' $(ARGS)

.PHONY: bench
bench: $(VENV)/.wheel ## the benchmarks, each as a ratio within one run (long)
	@sh .ci/system-packages
	@found=0; for program in benchmarks/bench_*.py; do \
	  [ -e "$$program" ] || continue; found=1; \
	  echo "== $$program"; $(BIN)/python "$$program" $(ARGS) || exit 1; done; \
	  [ $$found = 1 ] || { echo 'error: no benchmarks/bench_*.py' >&2; exit 1; }

.PHONY: serve
serve: $(VENV)/.wheel ## the server with its data in out/server (writes there alone; DATA=folder for another place)
	@$(BIN)/assay serve --data $(or $(DATA),out/server) $(ARGS)

.PHONY: demo
demo: $(VENV)/.wheel ## build the sample repository and show what assay says of it (writes out/demo)
	@sh .ci/system-packages
	@$(BIN)/python demo/run.py $(ARGS)

# --- upkeep --------------------------------------------------------------------------------------------------------------------

.PHONY: lock
lock: ## renew requirements/*.lock (needs uv); LOCK_FLAGS=--upgrade to move to newer releases
	@command -v $(UV) >/dev/null || { echo 'error: `make lock` needs uv; do this: pipx install uv' >&2; exit 1; }
	@$(LOCK) pyproject.toml -o requirements/runtime.lock
	@$(LOCK) pyproject.toml $(EXTRAS) -c requirements/runtime.lock -o requirements/server.lock
	@$(LOCK) pyproject.toml requirements/dev.in $(EXTRAS) -c requirements/server.lock -o requirements/dev.lock
	@$(LOCK) requirements/build.in -c requirements/dev.lock -o requirements/build.lock

.PHONY: clean
clean: ## remove everything that was made here
	@rm -rf $(VENV) dist build out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
