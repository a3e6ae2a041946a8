# Two commands set everything up on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOG := demo/edge_mobilenet_v2.sqlite

.NOTPARALLEL:
.PHONY: demo dev test test-slow kernels lint types docs docs-fast wheel-check check clean

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[viz]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@ $(VENV)/.demo

demo: $(VENV)/.demo kernels ## The best edge accelerator of 27 mm2 for an ONNX MobileNetV2, and why it is good
	mkdir -p demo
	$(BIN)/accel-dse optimize edge --workload notebooks/networks/mobilenet_v2.onnx \
	  --minimize latency_ms --limit 'area_mm2<=27' --trials 300 --log $(LOG)
	$(BIN)/accel-dse report $(LOG) --out demo/report.html

dev: $(VENV)/.dev kernels ## The environment to work in

test: $(VENV)/.dev kernels ## Everything but the slow reproductions, under 15 minutes on two cores
	$(BIN)/pytest -n 2 -m 'not slow'

test-slow: $(VENV)/.dev kernels ## The reproductions that take minutes each
	$(BIN)/pytest -m slow

kernels: ## Compiles the simulator, the last step of installing it, and again when a source is newer
	@# Numba itself looks only at a kernel's own file.
	@newest=$$(ls -t accel_dse/hardware.py accel_dse/mapping.py accel_dse/workload.py accel_dse/simulators/*.py \
	  | head -n 1); \
	find accel_dse -name '*.nb[ic]' ! -newer "$$newest" -delete
	@$(BIN)/python -m accel_dse.simulators.compile_kernels

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

docs: $(VENV)/.docs kernels ## The documentation as pages, in docs/_build, notebooks run; any warning is an error
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html

docs-fast: $(VENV)/.docs ## The same without running the notebooks, which the tests do, too
	$(BIN)/sphinx-build -q -W --keep-going -D nb_execution_mode=off docs docs/_build/fast

wheel-check: ## Builds wheel and sdist, and runs the demo from the wheel in an empty environment
	PYTHON=$(PYTHON) tests/wheel_check.sh

check: lint types test

clean:
	rm -rf $(VENV) demo docs/_build
