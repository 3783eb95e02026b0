# Two commands do everything: `make run` and `make test`. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Where the node of `make run` keeps what it has: blobs, boot images, the active tree.
STATE ?= .node

.PHONY: setup run test lint examples generate clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt tools/setup.sh
	@PYTHON=$(PYTHON) sh tools/setup.sh $(VENV)
	@touch $@

examples: setup
	@$(BIN)/python -m examples.build

run: setup examples
	@sh tools/debian_packages.sh squashfs-tools || true
	@$(BIN)/python -m examples.run $(STATE)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup
	@sh tools/debian_packages.sh
	@sh tools/test_kernel.sh $(VENV)/test-kernel
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest

generate: setup
	$(BIN)/python tools/generate_protos.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .import_linter_cache build *.egg-info examples/images
