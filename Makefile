# Each target works on a fresh clone that has Python >= 3.11 and make: it makes .venv itself.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.PHONY: demo test lint types bench soak clean

demo: .venv/ready
	@$(BIN)/tmstream demo $(ARGS)

test: .venv/ready-test
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready-bench
	$(BIN)/python -m benchmarks $(ARGS)

soak: .venv/ready-test
	$(BIN)/python -m benchmarks.soak $(ARGS)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tmstream needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip

.venv/ready: .venv/bin/python pyproject.toml
	@echo "installing tmstream and its libraries into .venv (about two minutes, once)"
	@$(BIN)/python -m pip install --quiet --editable .
	@# p5 for offline sketches; without Node.js the sketches load it from one pinned address.
	@if command -v npm >/dev/null; then npm install --prefix demos --silent --no-audit --no-fund || echo "p5 was not installed; sketches need the network for it"; fi
	@touch $@

.venv/ready-test: .venv/ready
	@echo "installing what the tests want"
	@$(BIN)/python -m pip install --quiet --group test --group lint
	@touch $@

.venv/ready-bench: .venv/ready-test
	@echo "installing the peers"
	@$(BIN)/python -m pip install --quiet --group bench
	@touch $@

clean:
	rm -rf .venv dist artefacts demos/node_modules
