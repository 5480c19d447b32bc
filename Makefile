# Heraldo. `make help` lists what there is; every target sets up what it needs.
.DEFAULT_GOAL := help
STAGE ?= dev
PYTHON := .venv/bin/python

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r name about; do printf '  make %-10s %s\n' "$$name" "$$about"; done

.PHONY: run
run: ## Bring up everything on this machine: local AWS, the app, an inbox (HERALDO_PORT, 4566)
	@cli/setup.sh tools aws
	@$(PYTHON) -m cli.stack.local

.PHONY: test
test: ## Run every test
	@cli/setup.sh tools dev aws clients
	@$(PYTHON) -m tests.chromium
	@$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: test-again
test-again: ## Run what failed in the last `make test`, one by one: does it fail by itself?
	@$(PYTHON) -m pytest --last-failed --last-failed-no-failures none -rA --show-capture no

.PHONY: chaos
chaos: ## Break everything around a lane and count what arrives (EVENTS=10000, SEED)
	@cli/setup.sh tools dev aws
	@$(PYTHON) -m tests.chaos.run --events $(or $(EVENTS),10000) $(if $(SEED),--seed $(SEED))

.PHONY: check
check: ## Formatting, lint and types
	@cli/setup.sh tools dev
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m cli.deploy.generated --check

.PHONY: lock
lock: ## Resolve what the requirements name, and write it down with hashes: requirements*.lock
	@cli/setup.sh audit
	@.venv-audit/bin/python -m cli.locks

.PHONY: audit
audit: ## Look up known vulnerabilities of all that is locked
	@cli/setup.sh audit
	@.venv-audit/bin/python -m cli.locks --audit

.PHONY: mutants
mutants: ## Break the core one line at a time and count what no test notices (an hour; docs/testing.md)
	@cli/setup.sh mutants
	@.venv-mutants/bin/mutmut run

.PHONY: deploy
deploy: ## Show what changes, and deploy everything to AWS as one stack (STAGE=dev, YES=1: do not ask)
	@cli/setup.sh tools
	@$(PYTHON) -m cli.deploy.deploy --stage $(STAGE) $(if $(YES),--yes)

.PHONY: infra
infra: ## Deploy queues, topics and tables only, for a plain `chalice deploy` (STAGE=dev)
	@cli/setup.sh tools
	@$(PYTHON) -m cli.deploy.deploy --stage $(STAGE) --infra $(if $(YES),--yes)

.PHONY: destroy
destroy: ## Take a stage away with all that it holds, after saying what (STAGE=dev; CONFIRM=dev where nobody can be asked)
	@cli/setup.sh tools
	@$(PYTHON) -m cli.deploy.destroy --stage $(STAGE) $(if $(CONFIRM),--confirm $(CONFIRM))

.PHONY: package
package: ## Build the template and the zip without deploying them (STAGE=dev)
	@cli/setup.sh tools
	@$(PYTHON) -m cli.deploy.package --stage $(STAGE)

.PHONY: generate
generate: ## Write what plain `chalice deploy` reads and follows from what is declared
	@cli/setup.sh tools
	@$(PYTHON) -m cli.deploy.generated

.PHONY: golden
golden: ## Accept what the samples say now: rewrite tests/golden
	@cli/setup.sh tools
	@$(PYTHON) -m cli.words.samples tests/golden

.PHONY: screenshots
screenshots: ## Take the pictures in docs/images anew, of what `make run` runs
	@cli/setup.sh tools dev
	@$(PYTHON) -m tests.chromium
	@$(PYTHON) -m tests.screenshots

.PHONY: bench
bench: ## Measure Heraldo against the textbook ways (docs/performance.md)
	@cli/setup.sh bench
	@.venv-bench/bin/python -m benchmarks.dispatch
