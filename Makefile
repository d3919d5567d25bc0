# Two commands matter: `make demo` and `make test`. Debian needs: make, python3 (3.11 or newer), python3-venv.
# PYTHON=python3.13 chooses the interpreter, VENV=.venv-3.13 the environment, PORT=9000 the demo's port.

PYTHON ?= python3
VENV ?= .venv
export VENV
BIN := $(VENV)/bin
# In plain C no Python could read /home/José from the .pth file of the editable install.
ifneq ($(filter C POSIX,$(LC_ALL)),)
export LC_ALL = C.UTF-8
endif
NO_PYTHON = greenroom: no Python 3.11 or newer is called $(PYTHON): \
 `apt install python3 python3-venv` as root, or name one, `make PYTHON=python3.13 ...`.
ENVIRONMENT = @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null \
 || { echo '$(NO_PYTHON)' >&2; exit 1; }; $(PYTHON) scripts/environment.py

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-long check docs format clean

help:  ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo:  ## start the demo chat under `hypercorn -k trio` and print its address
	$(ENVIRONMENT)
	@$(BIN)/python scripts/demo.py

# As many processes as tests/conftest.py says; a file stays together, so that its tests can share a server.
test:  ## run the test suite, without what is slow; ARGS="-k chat" narrows it, ARGS=--cov measures it
	$(ENVIRONMENT) test
	@rm -f .coverage .coverage.*  # a killed server leaves half a file behind
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

test-slow:  ## run the rest of what CI runs: proxies, the admin in a browser, installed wheels, load
	$(ENVIRONMENT) test
	@$(BIN)/python -m pytest -n auto --dist loadfile -m slow $(ARGS)

test-long:  ## run only the tests that are left out of the others for their size
	$(ENVIRONMENT) test
	@$(BIN)/python -m pytest -m long -o faulthandler_timeout=0 $(ARGS)

check:  ## lint, format, async rules, types
	$(ENVIRONMENT) dev test
	@$(BIN)/python scripts/check.py

format:  ## let ruff put the sources in order
	$(ENVIRONMENT) dev test
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

docs:  ## build the documentation into docs/_build/html; a warning is an error
	$(ENVIRONMENT) docs
	@$(BIN)/python -m sphinx -b html -n -T -W --keep-going -q docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:  ## remove the environment and everything that was built
	@rm -rf $(VENV) build dist docs/_build .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
