# The commands of the project. `make up` and `make test` are all that a newcomer needs; README.md explains the rest.
SHELL := /bin/bash
PYTHON ?= python3
LOCAL := .local/venv/emulator/bin/python infra/local

# What `up`, `down`, `token` and `logs` take: PORT (4566), STACK (cognia), SANDBOX_PORT (4600), DEMO (1).
export PORT STACK SANDBOX_PORT DEMO STAGE ARCHITECTURE ADMIN ORG ROLE PLAN TTL SEEDS SEED

help: ## Lists the commands.
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

up: tools ## Builds everything and brings the embedded stack up, or up to date.
	@$(LOCAL) up

down: tools ## Stops it; its state is kept.
	@$(LOCAL) down

reset: tools ## Stops it and forgets everything it held.
	@$(LOCAL) reset

token: tools ## Prints a bearer token: make token USER=ada [ADMIN=1] [ORG=acme ROLE=ADMIN] [PLAN=pro]
	@TOKEN_USER='$(if $(filter command,$(origin USER)),$(USER))' $(LOCAL) token

logs: tools ## Follows what the functions say.
	@$(LOCAL) logs

test: tools ## Everything CI runs.
	@$(LOCAL) test

bench: tools ## Measures syncs, AWS requests and cold starts, on a stack of its own.
	@$(LOCAL) bench

chaos: tools ## Breaks things on purpose, on a stack of its own: make chaos [SEEDS=20] [SEED=7, to replay one]
	@$(LOCAL) chaos

deploy: tools ## Deploys to AWS: make deploy [STAGE=dev] [ARCHITECTURE=arm64]
	@$(LOCAL) deploy

tools:
	@$(PYTHON) infra/local/tools.py emulator

.PHONY: help up down reset token logs test bench chaos deploy tools
.DEFAULT_GOAL := help
