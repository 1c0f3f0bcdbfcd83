# City Neuron's front gate. `make` alone lists what there is. Options for a command go into ARGS:
#   make run ARGS="--port 8080"      make test ARGS="tests/edge -x"
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
ARGS ?=
BENCH ?= suite
export PYTHON

.PHONY: help setup setup-run run test check format bench score faults fuzz lock clean

help: ## List these commands
	@echo "City Neuron (城市神经元)"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: setup-run ## Start the city: broker, gateway, cloud and a simulated district
	@exec .venv/bin/cityneuron up $(ARGS)

test: setup ## Install what the tests need, check the sources, run every test
	@scripts/debian-packages
	@$(MAKE) check
	@scripts/tests $(ARGS)

setup: ## Make the development environment in .venv (seconds when nothing changed)
	@scripts/setup dev

setup-run:
	@scripts/setup run

check: setup ## Style, types, imports between the parts, generated files, documents
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check --quiet || { echo "run: make format"; exit 1; }
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/cityneuron dashboards build --check
	@.venv/bin/cityneuron dashboards check
	@.venv/bin/cityneuron dashboards describe --check
	@.venv/bin/pytest -q tests/test_docs.py

format: setup ## Lay the sources out as ruff does
	@.venv/bin/ruff check --fix-only --quiet
	@.venv/bin/ruff format

bench: setup ## Measure speed and memory, write docs/performance.md (ARGS=--quick; BENCH=drain for one part)
	@PYTHONPATH=tests .venv/bin/python -m bench.$(BENCH) $(ARGS)

score: setup ## Judge real recordings with known faults, write docs/quality.md
	@.venv/bin/python -m score

faults: setup ## Let 200 things go wrong on real servers, then audit every reading (ARGS="--faults 50 --seed 7")
	@scripts/debian-packages
	@PYTHONPATH=tests .venv/bin/python -m faults $(ARGS)

fuzz: setup ## Throw a million hostile inputs at every decoder of bytes from outside (ARGS="--inputs 20000")
	@PYTHONPATH=tests .venv/bin/python -m fuzz $(ARGS)

lock: setup ## Resolve the dependencies anew (ARGS=--upgrade for newer ones)
	@scripts/lock $(ARGS)

clean: ## Remove the environment and the caches; the city's data stays
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
