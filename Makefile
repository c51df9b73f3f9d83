# Everything a clone needs, one word each. Every target sets up what it needs first and may be repeated.

.PHONY: help setup test-setup demo test test-slow soak check format bench bench-growth bench-quick clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup:  ## Make .venv with flowctl and the tools of development; quiet when nothing is to do
	@.ci/setup

demo: setup  ## Run the example on real data: report, durations, picture
	@.ci/demo

test-setup:
	@.ci/setup tests

test: test-setup  ## Run the tests
	@.venv/bin/pytest -n 2 --dist loadgroup -m "not slow"

test-slow: test-setup  ## Run the tests that take long
	@.ci/slow

soak: test-setup  ## Kill, starve and lie to engines for hours: the tests of faults in full
	@FLOWCTL_TEST_SEEDS=20000 FLOWCTL_TEST_KILLS=200 FLOWCTL_TEST_POWER_CUTS=20 FLOWCTL_TEST_SERVER_KILLS=100 \
		FLOWCTL_TEST_SERVER_RUNS=5000 .venv/bin/pytest -n 2 --dist loadgroup -m slow tests/faults tests/simulated

check: setup  ## Format, lint, types, import contracts, documentation
	@.ci/check

format: setup  ## Rewrite the code in the one format
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench: setup  ## Measure flowctl beside floors and the peers that are installed (bench/README.md); long
	@.venv/bin/python -m bench run

bench-quick: setup  ## Small shapes, floors only: to see that measuring works
	@.venv/bin/python -m bench run --quick --floors --rounds 1

bench-growth: setup  ## How cost grows with tasks, width, depth, edges, output and history; a quarter of an hour
	@.venv/bin/python -m bench growth

clean:  ## Delete what the other targets made, .venv included
	@rm -rf .venv .venv.lock .demo demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
