# make run: start ConsulOps on this machine.  make test: prove that it works.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Where the product keeps its data; a consul binary is looked for and put here too.
DATA := $(if $(CONSULOPS_DATA),$(CONSULOPS_DATA),var)
TEMPLATES := $(wildcard templates)
# Two cores are enough; a file stays with one worker, for its servers are made once.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run test lint bench clean

help: ## Shows this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: $(VENV)/run.stamp ## Starts ConsulOps in the foreground; Ctrl-C stops it
	@$(PY) -m consulops.lab fetch --data "$(DATA)" > /dev/null || true
	@exec $(PY) manage.py up

test: lint ## Runs the whole test-suite; with CI=true a missing part is a failure
	@$(PY) -m consulops.lab fetch --data var > /dev/null || true
	@exec $(PY) -m tests.chromium
	@exec $(PY) -m pytest -n $(WORKERS) --dist loadfile -q

lint: $(VENV)/test.stamp ## Style, types, templates, and migrations that are missing
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/djlint --quiet --check --lint $(TEMPLATES)
	@$(PY) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

bench: $(VENV)/test.stamp ## Runs the benchmarks, prints a table, writes var/bench/
	@$(PY) -m consulops.lab fetch --data var > /dev/null || true
	@exec $(PY) -m tests.bench

clean: ## Removes the Python environment; all data stays
	rm -rf $(VENV)

# The stamps hold back pip as long as nothing changed: the second start needs no network.
$(VENV)/run.stamp: requirements.txt | $(VENV)/bin/pip
	@echo "Installing what ConsulOps runs on ..."
	@$(PY) -m pip install -qq --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements.txt requirements-dev.txt | $(VENV)/bin/pip
	@echo "Installing what the tests need ..."
	@$(PY) -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
		echo "ConsulOps needs Python 3.11 or newer. $(PYTHON) is: $$($(PYTHON) --version 2>&1 || true)"; \
		echo "Choose another one with: make run PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python cannot make a virtual environment. On Debian: apt install python3-venv"; exit 1; }
