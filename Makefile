# Every target sets up what it needs. Variables can be given on the command line: make run ARGS="--port 9000".

ARGS ?=
PROVIDER ?=
PYTEST_ARGS ?=
LOCK_ARGS ?=
PYTHON ?= .venv/bin/python
UV ?= .venv/bin/uv
# A set-up that stops says which target to run again.
SETUP = SETUP_AGAIN="make $@" scripts/setup
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(LOCK_ARGS)

.DEFAULT_GOAL := help
.PHONY: help run demo demo-domains test check chaos live document bench setup lock clean wheel

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## Set up what is missing and serve the API with its own Xray in the foreground.
	@$(SETUP) run && exec .venv/bin/keystead serve --foreground $(ARGS)

demo: ## Issue a key, download through it, compare the bytes, delete it and see it refused, in under a minute.
	@$(SETUP) demo && exec $(PYTHON) scripts/demo.py $(ARGS)

demo-domains: ## Move 400 domains between stand-ins, and find what is changed behind our back, in under two minutes.
	@$(SETUP) dev && PYTHONPATH=. exec $(PYTHON) scripts/demo_domains.py $(ARGS)

test: ## Set up everything and pass every check and test, engines included, on SQLite and on PostgreSQL.
	@$(SETUP) dev && scripts/check && exec $(PYTHON) scripts/run_tests.py $(PYTEST_ARGS)

check: ## Check form, types, dependency contracts and architecture without running the long tests.
	@$(SETUP) dev && scripts/check

chaos: ## Kill, freeze, fill, lock and silence a Keystead at work for minutes, and check that every promise holds.
	@$(SETUP) dev && PYTHONPATH=. exec $(PYTHON) -m tests.chaos $(ARGS)

live: ## Ask a real provider with your own keys, from the environment: make live PROVIDER=cloudflare says which.
	@$(SETUP) dev && PYTHONPATH=. exec $(PYTHON) -m tests.providers.live $(PROVIDER)

document: ## Write the pages of docs/ that the code itself tells: settings, permissions, errors, commands.
	@$(SETUP) dev && exec $(PYTHON) scripts/document

bench: ## Measure against the bare engine, database and framework, and print the ratios of this one run.
	@$(SETUP) dev && exec $(PYTHON) -m bench $(ARGS)

setup: ## Set up everything for development and start nothing.
	@$(SETUP) dev

lock: ## Resolve the dependencies again and write the lock files; LOCK_ARGS=--upgrade takes newer releases.
	@test -x $(UV) || $(SETUP) run
	$(COMPILE) pyproject.toml --group dev --group build -o requirements-dev.lock
	$(COMPILE) -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(COMPILE) -c requirements-dev.lock --group build -o requirements-build.lock
	$(COMPILE) --group uv -o requirements-uv.lock

clean: ## Remove the virtual environment and what tools left behind; data and built engines stay.
	rm -rf .venv .cache dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache htmlcov
	rm -f .coverage .coverage.*

wheel: ## Build the wheel into dist/.
	@$(SETUP) run
	$(PYTHON) -m hatchling build -t wheel
