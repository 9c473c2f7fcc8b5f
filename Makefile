# The two main commands are `make run` and `make test`; `make help` lists the others.
# Written for GNU make 3.81, the version that macOS has.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run check test test-cluster test-fast test-browsers test-container soak lint format generate fast sweep-install cluster-install metrics-install cluster bench bench-page screenshots docs docs-serve test-docs audit lock clean

python := .venv/bin/python

# Only locked files, and only wheels: installing runs no code of a package.
pip_unlocked := -m pip --disable-pip-version-check --no-input install --quiet \
                --no-deps --only-binary :all:
pip := $(pip_unlocked) --require-hashes
# One pytest process per core, and one more (tests/conftest.py). The tests of a file run in one
# process and share its fixtures.
parallel := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
mkdocs := .cache/docs/bin/mkdocs
# A user's pip settings may ask for --user, which does not work in a virtual environment.
export PIP_USER := 0
# MkDocs Material then does not announce its successor at each build.
export NO_MKDOCS_2_WARNING := 1
# The tests start hundreds of processes; without cached bytecode each would compile the sources.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

run: .venv/run.stamp ## start the server at http://127.0.0.1:8000, with a demo run
	@exec $(python) -m server serve $(ARGS)

check: lint ## lint, and run the fast tests: those that start no process
	@exec $(python) -m pytest -m "not process" $(parallel) $(ARGS)

test: .venv/dev.stamp ## run the tests, including a real browser, but not test-cluster, -fast, -docs or -browsers
	@exec $(python) -m scripts.with_browser $(python) -m pytest -m "not cluster and not site and not soak and not other_browser" $(parallel) $(ARGS)

test-cluster: .venv/dev.stamp ## test training on a real Dask cluster
	@exec $(python) -m pytest tests/cluster -m cluster $(ARGS)

test-fast: .cache/fast/stamp ## test the loops that Numba compiles, in an environment of their own
	@exec .cache/fast/bin/python -m pytest tests/rnn/backend tests/checkpoints/test_exact_resume.py $(ARGS)

test-browsers: .venv/dev.stamp ## test the main journeys in Firefox and WebKit
	@exec $(python) -m scripts.other_browsers $(python) -m pytest tests/other_browsers -m other_browser $(ARGS)

test-container: .venv/run.stamp ## build the container image with buildah and try it (as root)
	@exec $(python) -m scripts.container_image

soak: .venv/dev.stamp ## kill processes at 500 random moments and check the data (KILLS=500)
	@exec $(python) -m pytest tests/crash/test_failpoints.py tests/crash/test_random.py \
	--kills $(or $(KILLS),500) $(ARGS)

lint: .venv/dev.stamp .cache/typescript/stamp ## check format, lint, types and the direction of imports
	$(python) -m ruff format --check
	$(python) -m ruff check
	$(python) -m mypy
	.venv/bin/lint-imports --no-logo
	.cache/typescript/tsc --project types
	.cache/typescript/tsc --project types/tsconfig.strict.json

format: generate ## format the code, apply automatic fixes, and run `make generate`
	$(python) -m ruff format
	$(python) -m ruff check --fix

generate: .venv/dev.stamp .cache/esbuild/stamp ## write docs/protocol.md's tables, types/wire.d.ts and static/bundles/
	$(python) -m scripts.generate
	$(python) -m scripts.bundle

fast: .venv/fast.stamp ## install Numba, which makes the default network train twice as fast

sweep-install: .venv/sweep.stamp ## install Optuna, which chooses the settings of a sweep's runs

cluster-install: .venv/cluster.stamp ## install Dask, which trains runs on several machines

metrics-install: .venv/metrics.stamp ## install prometheus_client, for the figures at /metrics

cluster: .venv/cluster.stamp ## start a Dask scheduler and two workers on this machine, to try a cluster
	@exec $(python) -m scripts.cluster $(ARGS)

bench: .cache/bench/stamp ## measure speed, compared with PyTorch and JAX
	@exec .cache/bench/bin/python -m benchmarks $(ARGS)

bench-page: .venv/dev.stamp ## measure the page in a browser
	@exec $(python) -m scripts.with_browser $(python) -m benchmarks.page $(ARGS)

docs: .cache/docs/stamp ## build the documentation in site/, which needs no server
	@$(mkdocs) build --strict && echo "The documentation is in site/index.html."

docs-serve: .cache/docs/stamp ## show the documentation at http://127.0.0.1:8001 while you write it
	@exec $(mkdocs) serve --dev-addr 127.0.0.1:8001 $(ARGS)

test-docs: docs .venv/dev.stamp ## build the documentation, and check its links and its search in a browser
	@exec $(python) -m scripts.with_browser $(python) -m pytest tests/site -m site $(ARGS)

screenshots: .venv/dev.stamp ## take new screenshots for docs/screenshots/
	@exec $(python) -m scripts.with_browser $(python) -m scripts.screenshots $(ARGS)

audit: .cache/tools/stamp ## check locked dependencies for known vulnerabilities
	.cache/tools/bin/pip-audit --strict --disable-pip --require-hashes -r requirements/dev.txt

# Locked versions stay as they are; `make lock ARGS=--upgrade` takes the newest.
lock: .cache/tools/stamp ## lock the dependencies named in pyproject.toml
	scripts/lock .cache/tools/bin/uv $(ARGS)

clean: ## remove the environment and all caches, but not data/
	rm -rf .venv .cache site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The interpreter is a symbolic link. If the system's Python is replaced, make sees a missing file
# and recreates the environment.
.venv/bin/python:
	@python=$$(scripts/find-python) && echo "Creating the environment in .venv with $$python ..." && \
	"$$python" -m venv --clear .venv

.venv/run.stamp: requirements/run.txt | .venv/bin/python
	@echo "Installing the dependencies of the server ..."
	@$(python) $(pip) -r requirements/run.txt
	@touch $@

# requirements/dev.txt includes requirements/run.txt.
.venv/dev.stamp: requirements/dev.txt | .venv/bin/python
	@echo "Installing the dependencies of the server and its tests ..."
	@$(python) $(pip) -r requirements/dev.txt
	@touch .venv/run.stamp $@

.venv/fast.stamp: requirements/fast.txt .venv/run.stamp
	@echo "Installing Numba ..."
	@$(python) $(pip) -r requirements/fast.txt
	@touch $@

# The other tests run without Numba, as most installations do.
.cache/fast/stamp: requirements/dev.txt requirements/fast.txt
	@python=$$(scripts/find-python) && "$$python" -m venv --clear .cache/fast
	@echo "Installing the dependencies of the tests, and Numba, in .cache/fast ..."
	@.cache/fast/bin/python $(pip) -r requirements/dev.txt
	@.cache/fast/bin/python $(pip) -r requirements/fast.txt
	@touch $@

.venv/sweep.stamp: requirements/sweep.txt .venv/run.stamp
	@echo "Installing Optuna ..."
	@$(python) $(pip) -r requirements/sweep.txt
	@touch $@

.venv/cluster.stamp: requirements/cluster.txt .venv/run.stamp
	@echo "Installing Dask ..."
	@$(python) $(pip) -r requirements/cluster.txt
	@touch $@

.venv/metrics.stamp: requirements/metrics.txt .venv/run.stamp
	@echo "Installing prometheus_client ..."
	@$(python) $(pip) -r requirements/metrics.txt
	@touch $@

# The libraries that `make bench` compares with have an environment of their own. If one of them
# cannot be installed, the others are measured without it.
.cache/bench/stamp: requirements/run.txt requirements/bench.txt requirements/torch.txt
	@python=$$(scripts/find-python) && "$$python" -m venv --clear .cache/bench
	@.cache/bench/bin/python $(pip) -r requirements/run.txt
	@echo "Installing Numba, JAX and PyTorch in .cache/bench for comparison ..."
	@.cache/bench/bin/python $(pip) -r requirements/bench.txt || \
	echo "Numba and JAX cannot be installed here: measuring without them."
	@.cache/bench/bin/python $(pip_unlocked) -r requirements/torch.txt || \
	echo "PyTorch cannot be installed here: measuring without it."
	@touch $@

# Only `make lint` needs the TypeScript compiler.
.cache/typescript/stamp: requirements/typescript/package-lock.json requirements/node.txt
	@echo "Installing the TypeScript compiler in .cache/typescript ..."
	@scripts/install-npm-tool typescript lib/tsc .cache/typescript
	@touch $@

# Only `make generate` needs the bundler.
.cache/esbuild/stamp: requirements/esbuild/package-lock.json requirements/node.txt
	@echo "Installing esbuild in .cache/esbuild ..."
	@scripts/install-npm-tool esbuild bin/esbuild .cache/esbuild
	@touch $@

# Only `make docs` needs MkDocs.
.cache/docs/stamp: requirements/docs.txt
	@python=$$(scripts/find-python) && "$$python" -m venv --clear .cache/docs
	@echo "Installing MkDocs Material in .cache/docs ..."
	@.cache/docs/bin/python $(pip) -r requirements/docs.txt
	@touch $@

# The tools that maintain the lock files have an environment of their own.
.cache/tools/stamp: requirements/tools.txt
	@python=$$(scripts/find-python) && "$$python" -m venv --clear .cache/tools
	@.cache/tools/bin/python $(pip) -r requirements/tools.txt
	@touch $@
