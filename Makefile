# Everything a checkout can do. `make` alone lists it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
MODELS ?= models
RECIPE ?= standard
# A smaller or shorter training gets a folder of its own.
OUT ?= runs/train$(if $(filter-out standard,$(RECIPE)),-$(RECIPE))$(if $(CORPUS),-own)$(if $(COUNT),-$(COUNT)-pictures)$(if $(EPOCHS),-$(EPOCHS)-epochs)

TARGET ?= service
TAG ?= latest
IMAGE = colorization-autoencoder$(if $(filter-out service,$(TARGET)),-$(TARGET))
# The first that works: a client of Docker without its engine is of no use.
ENGINE ?= $(shell for engine in docker podman buildah; do \
	$$engine info >/dev/null 2>&1 && echo $$engine && break; done)
COMMIT = $(or $(shell git rev-parse HEAD 2>/dev/null),unknown)
COMMIT_TIME = $(or $(shell git log -1 --format=%ct 2>/dev/null),0)

# What the documents show is of the shipped models; that of others stands beside them.
RESULTS = $(if $(filter models,$(MODELS)),docs/results,$(firstword $(MODELS)))

BIN := $(VENV)/bin
TRAINING := $(BIN)/python -m training
SERVE_READY := $(VENV)/.ready-serve
DEV_READY := $(VENV)/.ready-dev
# Other servers need other versions of what we share with them.
BENCH_VENV ?= $(VENV)-bench
BENCH_READY := $(BENCH_VENV)/.ready-bench
# Modules are compiled when they are first imported: most of what comes along never is.
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes

# Of the tests: browser, services and trainings keep more than a core busy by themselves.
WORKERS ?= 2

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: serve
serve: $(SERVE_READY) ## Serve the models (PORT, HOST, MODELS).
	COLORIZE_MODELS_DIR=$(MODELS) HOST=$(HOST) PORT=$(PORT) $(BIN)/python -m service

.PHONY: test
test: $(DEV_READY) browser ## Run all tests (ARGS, WORKERS).
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: test-ray
test-ray: $(DEV_READY) ## Run the tests that need a Ray cluster.
	$(BIN)/python -m pytest -m ray $(ARGS)

# Without one the tests of the page are skipped, and say so.
.PHONY: browser
browser:
	@command -v chromium > /dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null && \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core > /dev/null; }; } || \
		echo "There is no Chromium, and it cannot be installed here: the page will not be tested."

.PHONY: lint
lint: $(DEV_READY) ## Check style, types and docstrings.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile
	$(BIN)/docker-compose --profile '*' config --quiet

.PHONY: format
format: $(DEV_READY) ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: train
train: $(DEV_READY) ## Corpus, training, export, evaluation (OUT, EPOCHS, COUNT, CORPUS, RECIPE).
	$(TRAINING) train --out $(OUT) --recipe $(RECIPE) $(if $(EPOCHS),--epochs $(EPOCHS)) \
		$(if $(COUNT),--count $(COUNT)) $(if $(CORPUS),--corpus $(CORPUS))

.PHONY: evaluate
evaluate: $(DEV_READY) ## Judge the models (MODELS: folders) on unseen pictures, or on CORPUS.
	$(TRAINING) evaluate $(addprefix --models ,$(MODELS)) $(if $(CORPUS),--corpus $(CORPUS)) --out $(if $(CORPUS),runs/evaluate,$(RESULTS))

.PHONY: gallery
gallery: $(DEV_READY) ## Draw the gallery of the samples (MODELS).
	$(TRAINING) gallery --models $(MODELS) --out $(RESULTS)/gallery.jpg

.PHONY: screenshots
screenshots: $(DEV_READY) browser ## Take the pictures of the page for the documents (MODELS).
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m tests.browser.screenshots docs/page

.PHONY: bench
bench: $(DEV_READY) $(BENCH_READY) ## Measure stages, throughput, latency, memory and start, beside others.
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.stages
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.choices
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.paired
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.http --peers-python $(BENCH_VENV)/bin/python
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.steering
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.hints
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.memory
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.startup
	COLORIZE_MODELS_DIR=$(MODELS) $(BIN)/python -m bench.overload

.PHONY: container
container: ## Build the container (TARGET: service or training; TAG; ENGINE: docker, podman or buildah).
	@$(if $(ENGINE),,echo "No container engine answers here: docker, podman or buildah is needed."; exit 1;) \
	set -x; $(ENGINE) build --target $(TARGET) --tag $(IMAGE):$(TAG) \
		--build-arg SOURCE_DATE_EPOCH=$(COMMIT_TIME) --build-arg REVISION=$(COMMIT) .

.PHONY: lock
lock: $(DEV_READY) ## Lock the requirements anew, with hashes and without index URLs.
	$(BIN)/uv pip compile pyproject.toml $(LOCK_FLAGS) --output-file requirements/serve.txt
	$(BIN)/uv pip compile pyproject.toml $(LOCK_FLAGS) --extra training \
		--constraint requirements/serve.txt --output-file requirements/train.txt
	$(BIN)/uv pip compile pyproject.toml $(LOCK_FLAGS) --extra training --extra telemetry --extra ray --extra dev \
		--constraint requirements/serve.txt --output-file requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml $(LOCK_FLAGS) --extra bench --output-file requirements/bench.txt
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links --no-annotate

.PHONY: clean
clean: ## Remove the environment and the caches, not the runs.
	rm -rf $(VENV) $(BENCH_VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: check-python
check-python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed (make PYTHON=...). Found: $(PYTHON) $$($(PYTHON) --version 2>&1)"; exit 1; }

$(SERVE_READY): requirements/serve.txt | check-python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) --requirement $<
	touch $@

$(DEV_READY): requirements/dev.txt | check-python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(INSTALL) --requirement $<
	touch $@ $(SERVE_READY)

$(BENCH_READY): requirements/bench.txt | check-python
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python $(INSTALL) --requirement $<
	touch $@
