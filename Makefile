# `make demo` and `make test` need only Python, pip, git and make; both reuse .venv on a second call.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test soak check format wheels docs clean

demo: $(STAMP)
	$(BIN)/detcore demo

# `make test` leaves out the tests marked slow; SLOW=1 runs every test, JOBS=2 in so many processes.
test: $(STAMP)
	$(BIN)/pytest $(if $(SLOW),,-m "not slow") $(if $(JOBS),-n $(JOBS) --dist loadfile)

# Long: 10,000 random inputs of each kind, and 200 runs killed while they save.
soak: $(STAMP)
	FUZZ_EXAMPLES=10000 $(BIN)/pytest tests/fuzz
	SOAK_ROUNDS=200 $(BIN)/pytest tests/acceptance/runs -k 'D8 or torchrun_restarts'

check: $(STAMP)
	$(BIN)/ruff format --check packages tests scripts
	$(BIN)/ruff check packages tests scripts
	$(BIN)/mypy packages/cvcore/src packages/detcore/src

format: $(STAMP)
	$(BIN)/ruff format packages tests scripts
	$(BIN)/ruff check --fix packages tests scripts

# What an earlier build left would go into the wheels too, files that are gone by now included.
wheels: $(STAMP)
	rm -rf packages/*/build
	$(BIN)/python -m build --wheel --outdir dist packages/cvcore
	$(BIN)/python -m build --wheel --outdir dist packages/detcore

# Warnings are errors, and none is passed over: -W; --keep-going names them all.
docs: $(STAMP)
	$(BIN)/python -m pip install --quiet -r requirements-docs.txt -c constraints.txt
	$(BIN)/python -m sphinx -W --keep-going -b html -d build/doctrees docs build/site

$(STAMP): packages/cvcore/pyproject.toml packages/detcore/pyproject.toml requirements-dev.txt constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt -c constraints.txt
	$(BIN)/python -m pip install --quiet -e packages/cvcore -e packages/detcore -c constraints.txt
	touch $@

clean:
	rm -rf $(VENV) build dist demo work_dirs docs/api packages/*/build
