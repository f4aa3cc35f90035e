# make sweep        measure how the convolution scales on this machine
# make test         the tests of every room that need nothing but this checkout, three at a time (WORKERS=0: one by one)
# make test-all     every test that this machine can run: also those with root, an engine, Pulumi and Google's packages
# make test-gpu     those alone that need an NVIDIA GPU
# make test-engine  those alone that need the program `pulumi`
# make cloud        add what `pulumi up` needs (400 MB)
# make bench        the benchmarks (ONLY=convolution for one)
# make contenders   torch and onnxruntime, which the benchmarks and their tests take where they are (5 GB)
# make lint         formatting, style, types

# The newest Python of 3.11 or above; PYTHON=/path/to/python3 overrides.
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print(sys.executable)' 2>/dev/null)))
BIN := .venv/bin
# packages of a person's own are not those that were tested together
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE := 1
# tests are compiled once, not again by each worker in each run
unexport PYTHONDONTWRITEBYTECODE
LINT = $(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy --no-error-summary
# in a fresh clone each worker would compile every test
COMPILE = $(BIN)/pytest --collect-only --quiet >/dev/null 2>&1
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: sweep test test-all test-gpu test-engine cloud bench contenders lint clean
.DEFAULT_GOAL := sweep

sweep: .venv/installed
	@$(BIN)/fab sweep

# A worker often waits for runs, and each loads the tests and their libraries: three keep two cores at work.
test: .venv/installed-test
	@test -d tests/__pycache__ || $(COMPILE) -m "not thorough"
	@$(BIN)/pytest --numprocesses $(or $(WORKERS),3) -m "not thorough"

# Here they also wait for nodes that fall silent: four.
test-all: .venv/installed-test .venv/installed-cloud
	@$(COMPILE) & $(MAKE) --no-print-directory lint; ended=$$?; wait; exit $$ended
	@$(BIN)/pytest --numprocesses $(or $(WORKERS),4) --durations=40

test-gpu: .venv/installed-test
	@$(BIN)/pytest --durations=0 tests/gpu

test-engine: .venv/installed-test .venv/installed-cloud
	@command -v pulumi >/dev/null || { echo "the program 'pulumi' is not on PATH:" \
		"'curl -fsSL https://get.pulumi.com | sh' installs it" >&2; exit 2; }
	@$(BIN)/pytest --numprocesses $(or $(WORKERS),4) --durations=0 tests/infra/engine

cloud: .venv/installed-cloud

contenders: .venv/installed-contenders

lint: .venv/installed-test .venv/installed-cloud
	@$(LINT)
	@MYPYPATH=infra $(BIN)/mypy --no-error-summary --explicit-package-bases \
		$(filter-out infra/__init__.py,$(wildcard infra/*.py infra/policy/*.py))

bench: .venv/installed
	@for file in $(or $(patsubst %,benchmarks/%.py,$(ONLY)),$(sort $(wildcard benchmarks/*.py))); do \
		PYTHONPATH=. $(BIN)/python $$file || exit 1; done

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A venv that is whole, or none: an interrupted one is made again.
.venv/ready:
	@if [ -z "$(PYTHON)" ]; then \
		echo "convscale needs Python 3.11 or newer, and finds $$(python3 --version 2>/dev/null || echo none):" \
			"on Debian 12 or Ubuntu 24.04 'apt-get install python3 python3-venv'," \
			"elsewhere 'make PYTHON=/path/to/python3.11'" >&2; exit 2; fi
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module: 'apt-get install python3-venv' brings it" >&2; exit 2; }
	@rm -rf .venv && $(PYTHON) -m venv .venv && touch $@

# fab ends quietly where its reader goes away, as `head` does, also before it has loaded our tasks (see begin()).
QUIET := import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)

.venv/installed: pyproject.toml constraints.txt | .venv/ready
	@echo "installing what the main job needs (once)" && $(PIP) .
	@grep -q SIGPIPE $(BIN)/fab || sed -i '/^import sys$$/a $(QUIET)' $(BIN)/fab
	@touch $@

.venv/installed-cloud: .venv/installed
	@echo "installing the cloud packages (once, 400 MB)" && $(PIP) '.[cloud]' && touch $@

.venv/installed-test: .venv/installed
	@echo "installing what the tests need (once)" && $(PIP) '.[test,gpu]' && touch $@

.venv/installed-contenders: .venv/installed
	@echo "installing what the benchmarks measure against (once, 5 GB)" && $(PIP) '.[bench]' && touch $@
