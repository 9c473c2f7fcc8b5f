# Two commands do everything: `make run` and `make test`. `make help` lists the others.
# Written for GNU make 3.81, which is what macOS has.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test soak lint format fast bench bench-page screenshots audit lock clean

python := .venv/bin/python

# Only what is locked, only as its publisher built it: no package's own code runs to install it.
pip_unlocked := -m pip --disable-pip-version-check --no-input install --quiet \
                --no-deps --only-binary :all:
pip := $(pip_unlocked) --require-hashes
# The tests spend much of their time waiting for servers and browsers, and so share the cores; those
# of one file share what that file starts.
# In the order of the folders: the slowest, with browsers and crashes, come first.
side_by_side := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# A user's pip settings may ask for --user, which no virtual environment can have.
export PIP_USER := 0

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: .venv/run.stamp ## start the server at http://127.0.0.1:8000, with a network learning
	@exec $(python) -m server serve $(ARGS)

test: .venv/dev.stamp ## run the whole suite, real browser included
	@exec $(python) -m scripts.with_browser $(python) -m pytest $(side_by_side) $(ARGS)

soak: .venv/dev.stamp ## kill processes at 500 random moments, and see what is left (KILLS=500)
	@exec $(python) -m pytest tests/crash/test_failpoints.py tests/crash/test_random.py \
	--kills $(or $(KILLS),500) $(ARGS)

lint: .venv/dev.stamp ## check format, lint, types and the direction of imports
	$(python) -m ruff format --check
	$(python) -m ruff check
	$(python) -m mypy
	.venv/bin/lint-imports --no-logo

format: .venv/dev.stamp ## format the code, and mend what can be mended by itself
	$(python) -m ruff format
	$(python) -m ruff check --fix

fast: .venv/fast.stamp ## install Numba, with which the default network learns twice as fast

bench: .cache/bench/stamp ## measure the speed the claims rest on, beside PyTorch and JAX
	@exec .cache/bench/bin/python -m benchmarks $(ARGS)

bench-page: .venv/dev.stamp ## measure what the page costs a browser
	@exec $(python) -m scripts.with_browser $(python) -m benchmarks.page $(ARGS)

screenshots: .venv/dev.stamp ## take the pictures in docs/screenshots/ anew
	@exec $(python) -m scripts.with_browser $(python) -m scripts.screenshots $(ARGS)

audit: .cache/tools/stamp ## look for known vulnerabilities in what is locked
	.cache/tools/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

# Versions already locked stay where they are; `make lock ARGS=--upgrade` takes the newest.
lock: .cache/tools/stamp ## lock the dependencies named in pyproject.toml
	scripts/lock .cache/tools/bin/uv $(ARGS)

clean: ## remove the environment and all caches; data/ stays
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The interpreter is a link: where it has gone, because the system's Python has moved on, make sees
# a missing file and starts the environment afresh.
.venv/bin/python:
	@python=$$(scripts/find-python) && echo "Making the environment in .venv with $$python ..." && \
	"$$python" -m venv --clear .venv

.venv/run.stamp: requirements/run.txt | .venv/bin/python
	@echo "Installing what the server needs ..."
	@$(python) $(pip) -r requirements/run.txt
	@touch $@

# requirements/dev.txt holds all that requirements/run.txt does.
.venv/dev.stamp: requirements/dev.txt | .venv/bin/python
	@echo "Installing what the server and its tests need ..."
	@$(python) $(pip) -r requirements/dev.txt
	@touch .venv/run.stamp $@

.venv/fast.stamp: requirements/fast.txt .venv/run.stamp
	@echo "Installing Numba ..."
	@$(python) $(pip) -r requirements/fast.txt
	@touch $@

# Those whom the network is compared with have an environment of their own, too. Where one of them
# cannot be had, the others are measured without it.
.cache/bench/stamp: requirements/run.txt requirements/bench.txt requirements/torch.txt
	@python=$$(scripts/find-python) && "$$python" -m venv --clear .cache/bench
	@.cache/bench/bin/python $(pip) -r requirements/run.txt
	@echo "Installing Numba, JAX and PyTorch in .cache/bench, to compare with ..."
	@.cache/bench/bin/python $(pip) -r requirements/bench.txt || \
	echo "Numba and JAX cannot be installed here: measuring without them."
	@.cache/bench/bin/python $(pip_unlocked) -r requirements/torch.txt || \
	echo "PyTorch cannot be installed here: measuring without it."
	@touch $@

# Tools that look after the lock files have an environment of their own, out of everyone's way.
.cache/tools/stamp: requirements/tools.txt
	@python=$$(scripts/find-python) && "$$python" -m venv --clear .cache/tools
	@.cache/tools/bin/python $(pip) -r requirements/tools.txt
	@touch $@
