# The main targets are `make run` and `make test`; each sets up what it needs.

# The newest supported Python; pyenv has several, and runs the selected one.
PYTHON ?= $(shell for v in 3.13 3.12 3.11 3; do for kept in $$v ""; do \
	PYENV_VERSION=$$kept python$$v -c 'import ensurepip, sys; \
	assert (3, 11) <= sys.version_info[:2] < (3, 14); print(sys.executable)' \
	2>/dev/null && exit; done; done)
BIN := .venv/bin
PIP := $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes
HOURS ?= 336
EVENTS_PER_HOUR ?= 120
PORT ?= 3000
BESIDE = $(BIN)/novade sandbox with --events-per-hour $(EVENTS_PER_HOUR) --

# One process compiles imports and parses the marts' project before others start; the next command
# reports errors in the settings.
define LOAD
import dbt.cli.main, matplotlib.figure, pandas
from novade_pipeline.landing.warm_up import compile_now
from novade_pipeline.settings import load_settings
from novade_pipeline.definitions import build_definitions
compile_now()
build_definitions(load_settings())
endef
export LOAD

# Compiled modules are cached: without them each process that loads the graph takes 6 s longer.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run streams test coverage ui bench bench-scale bench-azure bench-kill azurite azurite-setup broker setup setup-dev pins clean

run: setup ## Sample exports to marts; prints a table of the results.
	@$(BIN)/novade sandbox land --hours $(HOURS) --events-per-hour $(EVENTS_PER_HOUR) --if-empty
	@$(BESIDE) $(BIN)/novade run

ui: setup ## Dagster's web page, with the sensors running: `make ui PORT=3001`.
	@$(BESIDE) $(BIN)/novade ui --port $(PORT)

TICKETS ?= 10000
READINGS ?= 100000
streams: setup ## A broker, tickets and readings with their faults, the graph; prints the results.
	@$(BIN)/novade sandbox land --hours $(HOURS) --events-per-hour $(EVENTS_PER_HOUR) --if-empty
	@$(BIN)/novade sandbox with --broker --events-per-hour $(EVENTS_PER_HOUR) -- sh -ec '\
		$(BIN)/novade sandbox tickets --count $(TICKETS) --faults --if-empty; \
		$(BIN)/novade sandbox readings --count $(READINGS) --faults --if-empty; \
		$(BIN)/novade run'

# Four workers, on two cores as well: two of them usually wait for servers or processes.
test: setup-dev ## All tests.
	@$(BIN)/python -m pytest -n 4 --dist loadscope --no-loadscope-reorder $(ARGS)

coverage: ## All tests with line coverage; takes 50 % longer before Python 3.12.
	@$(MAKE) --no-print-directory test ARGS="--cov --cov-report=term"

bench: setup-dev ## Benchmarks, each with a peer in the same run.
	@$(BIN)/python benchmarks/ingest.py
	@$(BIN)/python benchmarks/load_time.py
	@$(BIN)/python benchmarks/event_log.py
	@$(BIN)/python benchmarks/dagster_growth.py
	@$(BIN)/python benchmarks/api.py
	@$(BIN)/python benchmarks/mentions.py
	@$(BIN)/python benchmarks/discovery.py
	@$(BIN)/python benchmarks/upkeep.py
	@$(BIN)/python benchmarks/merge.py
	@$(BIN)/python benchmarks/salesforce.py
	@$(BIN)/python benchmarks/history.py
	@$(BIN)/python benchmarks/streams.py --kills 0
	@$(BIN)/python benchmarks/databases.py
	@$(BIN)/python benchmarks/segment.py

bench-scale: setup-dev ## Landing to all marts at 1, 10 and 50 million events; takes an hour, and 60 GB.
	@$(BIN)/python benchmarks/marts.py --sessions realistic one-event

bench-azure: setup-dev ## The load on Azurite, compared with the local disk and with copying.
	@$(BIN)/python benchmarks/on_azure.py

bench-kill: setup-dev ## Kills a load at 50 moments, and checks its rerun.
	@$(BIN)/python benchmarks/kill.py
	@$(BIN)/python benchmarks/streams.py --repeat 0

azurite: setup azurite-setup ## A storage server like Azure's, for `NOVADE_ENV_FILE=dev/azurite/.env make run`.
	@$(BIN)/python -m novade_pipeline_tests.azurite data/azurite

broker: setup ## A Kafka broker with the topics of the sandbox, at 127.0.0.1:9092, until Ctrl-C.
	@$(BIN)/novade sandbox broker

setup: .venv/ready-run
setup-dev: .venv/ready-tests azurite-setup .venv/ready-broker
azurite-setup: dev/azurite/node_modules/.package-lock.json

.venv/bin/uv: requirements/build.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with its module venv (Debian: python3-venv) is needed; none was found."; exit 1; }
	@echo "Setting up .venv with $(PYTHON) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements/build.txt
	@touch .venv/bin/uv

.venv/installed-%: .venv/bin/uv requirements/%.txt pyproject.toml
	@echo "Installing the pinned packages of requirements/$*.txt …"
	@$(PIP) -r requirements/$*.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# Make would delete it as an intermediate file.
.PRECIOUS: .venv/installed-%

.venv/ready-%: .venv/installed-%
	@echo "Loading the graph, for the first time …"
	@$(BIN)/python -c "$$LOAD" 2>/dev/null || true
	@touch $@

# Each of several workers would compile all tests, and what they import, at the same time.
.venv/ready-tests: .venv/ready-dev
	@echo "Collecting the tests, for the first time …"
	@$(BIN)/python -m pytest --collect-only --quiet >/dev/null 2>&1 || true
	@touch $@

# The tests' broker; the module pins its version, and reports what is missing in one sentence.
.venv/ready-broker: .venv/installed-dev novade_pipeline/sandbox/broker_jars.py
	@$(BIN)/python -m novade_pipeline.sandbox.broker_jars
	@touch $@

dev/azurite/node_modules/.package-lock.json: dev/azurite/package-lock.json
	@command -v npm >/dev/null || { echo "Node.js 20 or newer, with npm, is needed; none was found."; exit 1; }
	@echo "Installing Azurite …"
	@cd dev/azurite && npm ci --silent --no-audit --no-fund
	@touch $@

pins: ## Pin the newest versions that pyproject.toml allows, with hashes and without addresses.
	@for set in build run dev; do \
		from="pyproject.toml"; extra=""; \
		[ $$set = dev ] && extra="--extra dev -c requirements/run.txt"; \
		[ $$set = build ] && from="requirements/build.in"; \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-annotate --no-header $$extra $$from -o requirements/$$set.txt; \
	done

clean: ## Delete the sample, the lake and the warehouse.
	@rm -rf data
