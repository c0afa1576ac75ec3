# Two commands are all a machine with Python and make needs: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test slow check format bench clean

demo: $(VENV)/.core  ## the shipped detectors on the shipped photographs; installs the core only, no torch
	$(BIN)/heatmark demo

test: $(VENV)/.all  ## everything the tests need, and the tests
	$(BIN)/python -m pytest -q

slow: $(VENV)/.all  ## the tests that take minutes
	$(BIN)/python -m pytest -q -m slow

check: $(VENV)/.all  ## format, lint and types over package, tests, benchmarks and examples
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: $(VENV)/.all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.all  ## the speed tables
	$(BIN)/python -m benchmarks.latency
	$(BIN)/python -m benchmarks.render_speed

$(VENV)/.core: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.all: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,synth,web,openvino,ray,dev]'
	touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) heatmark-demo
