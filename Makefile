# Needs Python 3.11 or newer, make and git; everything else is put into .venv.

# The Pythons to try, in this order; empty: see .ci/find-python.
PYTHON ?=
# How many runs are simulated, and the seed of the first.
RUNS ?= 100000
FIRST ?= 0
# Attack for how long, or replay one attack by its seed: CHAOS=12345.
CHAOS ?= --seconds 60
# Flags for every benchmark (--quick; --save keeps the run), and a suffix for a second run.
BENCH ?=
AGAIN ?=
PACKAGES ?= circuit_breaker spawner soar

PINS := .ci/constraints.txt
VENV := .venv/.stamp
# What `activate` does, without a shell of its own.
IN_VENV := PATH="$(CURDIR)/.venv/bin:$$PATH"
EDITABLE := -e 'packages/circuit_breaker[redis]' -e 'packages/spawner[cli,dask]' \
	-e 'packages/soar[dask,otel,redis]'

# Modules of somebody else's must not stand in for ours. And what is compiled is kept, also where the
# environment says otherwise, as in many images: the tests start hundreds of commands.
unexport PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test soak compare check agents cluster chaos bench mutants isolated build release \
	pins clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV) ## Run the example plan on this repository, without any model
	@$(IN_VENV) aurora-soar run packages/soar/examples/repository.toml --tool extract

test: $(VENV) ## Run the tests of all packages and the ones across them
	@$(IN_VENV) pytest -n auto

soak: $(VENV) ## Simulate 100,000 whole runs in virtual time; make soak RUNS=1000 FIRST=5000
	@$(IN_VENV) python -m tests.simulation --runs $(RUNS) --first $(FIRST)

check: $(VENV) ## Lint, format, types, import contracts, names
	@$(IN_VENV) ruff check
	@$(IN_VENV) ruff format --check
	@$(IN_VENV) mypy
	@$(IN_VENV) lint-imports
	@$(IN_VENV) pytest -q tests/architecture

agents: $(VENV) ## Test with the real agent CLIs, in a namespace without a network (needs npm)
	@$(IN_VENV) python .ci/agents.py -n 4 -q

cluster: $(VENV) ## Break clusters of real processes, in a namespace of their own (needs iproute2)
	@$(IN_VENV) AURORA_CLUSTER=yes unshare --map-root-user --net \
		sh -c 'ip link set lo up && exec pytest -n 2 --dist worksteal tests/cluster'

chaos: $(VENV) ## Attack real runs: kills, full disks, lack of everything; CHAOS='--seconds 600'
	@$(IN_VENV) unshare --map-root-user --mount python -m tests.chaos $(CHAOS)

bench: $(VENV) ## Run every benchmark beside its peers; the tables as JSON in .bench: BENCH='--quick'
	@$(IN_VENV) python -m pip install --quiet --constraint $(PINS) --group bench
	@mkdir -p .bench
	@for script in tests/benchmarks/bench_*.py; do \
		name=$${script##*/bench_}; \
		echo "== $$script"; \
		$(IN_VENV) python "$$script" $(BENCH) --out ".bench/$${name%.py}$(AGAIN).json" || exit; \
	done

compare: $(VENV) ## Hold the tables in .bench against the last ones kept in tests/benchmarks/history
	@$(IN_VENV) python tests/benchmarks/compare.py .bench/*.json

mutants: $(VENV) ## Break the breaker in every small way: which changes do its tests notice?
	@$(IN_VENV) python -m pip install --quiet --constraint $(PINS) --group mutants
	@$(IN_VENV) python .ci/mutants.py

isolated: build ## Test each wheel alone, in an empty environment
	@$(IN_VENV) python .ci/isolated.py

build: $(VENV) ## Build sdist and wheel of each package into dist/
	@rm -rf dist
	@for package in $(PACKAGES); do \
		$(IN_VENV) python -m build -qq --no-isolation --outdir dist "packages/$$package" || exit; \
	done
	@ls dist

release: $(VENV) ## Build the package of a TAG, if that may be published: make release TAG=soar-v1.2.0
	@package=$$($(IN_VENV) python .ci/release.py "$(TAG)") && \
		$(MAKE) --no-print-directory build PACKAGES="$$package"

pins: ## Write the newest versions of everything into .ci/constraints.txt
	@set -e; \
	python=$$(.ci/find-python $(PYTHON)); \
	fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	"$$python" -m venv "$$fresh"; \
	"$$fresh/bin/python" -m pip install --quiet --upgrade pip; \
	"$$fresh/bin/python" -m pip install --quiet --group dev --group bench --group mutants; \
	"$$fresh/bin/python" -m pip install --quiet --no-build-isolation $(EDITABLE); \
	{ \
		echo "# Written by 'make pins', best with the oldest Python: the names that it needs include"; \
		echo "# those of the newer ones."; \
		"$$fresh/bin/python" -m pip freeze --all --exclude-editable --exclude setuptools; \
	} > "$$fresh/pins"; \
	mv "$$fresh/pins" $(PINS)

clean: ## Remove what was made, apart from the runs in .aurora
	@rm -rf .venv .bench dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache \
		.pytest_cache .ruff_cache
	@find packages tests .ci -name __pycache__ -prune -exec rm -rf {} +

# pip goes first and alone: only since 25.1 does it know --group.
$(VENV): pyproject.toml $(PINS) $(wildcard packages/*/pyproject.toml)
	@set -e; \
	python=$$(.ci/find-python $(PYTHON)); \
	echo "Building .venv with $$python"; \
	"$$python" -m venv .venv; \
	pip=".venv/bin/python -m pip install --quiet --constraint $(PINS)"; \
	$$pip --upgrade pip; \
	$$pip --group dev; \
	$$pip --no-build-isolation $(EDITABLE)
	@touch $@
