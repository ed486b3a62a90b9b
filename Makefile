# chatdb: `make demo` shows it at work, `make test` runs every test. Both make what they need.

# The first of these that is 3.11 or newer and can make virtual environments.
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
BIN := .venv/bin
# Two workers more than there are cores: some tests wait for a lock, a server or a container.
export PYTEST_XDIST_AUTO_NUM_WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 2)
# Hundreds of processes are started: Python may keep what it has compiled.
export PYTHONDONTWRITEBYTECODE :=
# What speaks to the server itself.
ON_15 := tests/db tests/migrations tests/operations tests/seeds
PG ?=
INSTALL ?=
LEFT_OUT := .pytest_cache/left-out
# `make check` measures it, which makes the tests half as long again.
COVERAGE ?=
NAME ?=
FILE ?=

.DEFAULT_GOAL := help
.PHONY: help demo install format lint types test test-large test-15 run-15 installed check docs pictures migration catalogue bench bench-quick wheel \
	format-check docs-check dev-db dev-db-stop dev-db-reset dev-db-logs dev-db-connect status \
	db-backup db-restore db-schema-dump env-template

help:  ## List the targets.
	@sed -n 's/^\([a-z0-9-]*\):.*  ## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r name text; do printf '  %-15s %s\n' "$$name" "$$text"; done

# --- Seeing it -------------------------------------------------------------------------------

# The demo never touches another database: this name beats every other setting but an option.
DEMO := cd .demo && env CHATDB_DATABASE_URL=sqlite:///data/chatdb.db PAGER=cat venv/bin/chatdb
# Prints the command as one would type it, then runs it.
show = @printf '\n$$ %s\n' 'chatdb $(1)' && $(DEMO) $(1)

demo: .demo/venv/.ready  ## Migrate, import, list, show, search and export a small example.
	@rm -rf .demo/data .demo/notes
	@cp docs/examples/chatgpt-export.json .demo/
	$(call show,migrate)
	$(call show,import chatgpt-export.json)
	$(call show,conversations list)
	$(call show,conversations show 9c0d1e2f)
	$(call show,conversations show 5c6b7a80 --tree)
	$(call show,search dough)
	$(call show,export --to markdown --output notes/)
	@printf '\nThe database is .demo/data/chatdb.db, the Markdown files are:\n' && ls .demo/notes

.demo/venv/.ready: pyproject.toml $(shell find chatdb migrations -name '*.py')
	@$(call need_python)
	$(PYTHON) -m venv .demo/venv
	.demo/venv/bin/python -m pip install --quiet --disable-pip-version-check .
	@touch $@

# --- Working on it ---------------------------------------------------------------------------

install: .venv/.ready  ## Make .venv with chatdb (editable) and the development tools.

.venv/.ready: pyproject.toml
	@$(call need_python)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

define need_python
if [ -z "$(PYTHON)" ]; then \
	echo "chatdb needs Python 3.11 or newer with venv; name one: make PYTHON=/path/to/python3" >&2; exit 1; fi
endef

format: .venv/.ready  ## Format the code and mend what the linter can mend.
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

format-check: .venv/.ready
	$(BIN)/ruff format --check

lint: .venv/.ready  ## Check the code's style and the direction of its imports.
	$(BIN)/ruff check
	$(BIN)/lint-imports

types: .venv/.ready  ## Check the types.
	$(BIN)/mypy

docs: .venv/.ready  ## Write docs/cli.md, the tutorial's outputs and the native format's schema from the code.
	$(BIN)/python -m tests.repo.reference > docs/cli.md.partial
	@mv docs/cli.md.partial docs/cli.md
	@$(BIN)/python -m tests.store.write_native_schema
	@$(BIN)/python -m tests.repo.consoles docs/tutorial.md

pictures: .venv/.ready  ## Make the pictures of the documents from the product; needs Chromium.
	$(BIN)/python -m tests.repo.pictures

docs-check: .venv/.ready
	@$(BIN)/python -m tests.repo.reference | diff docs/cli.md - || \
		{ echo 'docs/cli.md is behind the commands: run make docs' >&2; exit 1; }

migration: .venv/.ready  ## Write a migration: make migration NAME="add tags".
	$(BIN)/chatdb schema new "$(NAME)"

catalogue: .venv/.ready  ## Write down what the migrations build, for `chatdb schema check`.
	$(BIN)/python -m tests.migrations.write_catalogue

# --- A database to work with -------------------------------------------------------------------

dev-db: .venv/.ready  ## Start a PostgreSQL for development, migrated; prints its URL.
	$(BIN)/chatdb dev-db up --migrate

dev-db-stop: .venv/.ready  ## Stop the development server; the data stay.
	$(BIN)/chatdb dev-db stop

dev-db-reset: .venv/.ready  ## Begin its database afresh; says how to go back.
	$(BIN)/chatdb dev-db reset

dev-db-logs: .venv/.ready  ## Show its log.
	$(BIN)/chatdb dev-db logs

dev-db-connect: .venv/.ready  ## Open its database in psql or pgcli.
	$(BIN)/chatdb dev-db connect

status: .venv/.ready  ## Tell whether it runs, where, and its schema's state.
	$(BIN)/chatdb dev-db status

db-schema-dump: .venv/.ready  ## Print the DDL of the configured database (chatdb config show).
	$(BIN)/chatdb schema dump

db-backup: .venv/.ready  ## Back up the configured database into backups/.
	$(BIN)/chatdb backup create

db-restore: .venv/.ready  ## Restore it from FILE=... (a backup's file, or latest).
	$(BIN)/chatdb restore "$(FILE)"

env-template: .venv/.ready  ## Write .env.example with every setting.
	$(BIN)/chatdb env-template

# --- Checking it -----------------------------------------------------------------------------

# As root it first installs what is missing (INSTALL=no: it does not).
installed: .venv/.ready
ifneq ($(INSTALL),no)
	@.ci/install
endif

# Run pytest with these words; the last lines name what was left out, and why.
define run_tests
	@rm -f $(LEFT_OUT)
	$(BIN)/python -m pytest -n auto --dist loadgroup --left-out $(LEFT_OUT) $(1)
	@if [ -s $(LEFT_OUT) ]; then cat $(LEFT_OUT); else echo 'left out: nothing'; fi
endef

test: installed  ## Run the tests on SQLite and PostgreSQL (PG=15: another server version).
	$(call run_tests,-m 'not large' $(COVERAGE) $(if $(PG),--pg $(PG)))

test-large: installed  ## Run the tests with large data, many steps or containers.
	$(call run_tests,-m large $(if $(PG),--pg $(PG)))

test-15: installed  ## Run on Debian's PostgreSQL 15 what speaks to the server; the rest was run on 18.
	@if [ -x /usr/lib/postgresql/15/bin/postgres ]; then $(MAKE) run-15 INSTALL=no; \
	elif [ "$$CI" = true ]; then echo 'PostgreSQL 15 is missing, and CI skips nothing' >&2; exit 1; \
	else echo 'left out: PostgreSQL 15 is not installed; as root: apt-get install postgresql-15'; fi

run-15: installed
	$(call run_tests,-m 'postgresql and not large' --pg 15 $(ON_15))

check: COVERAGE := --cov
check: format-check lint types docs-check test test-large test-15  ## Run all that CI runs.

bench: .venv/.ready  ## Measure what docs/performance.md promises.
	$(BIN)/python -m benchmarks

bench-quick: .venv/.ready  ## Measure a small part of it.
	$(BIN)/python -m benchmarks --quick

wheel: .venv/.ready  ## Build the wheel and the source archive into dist/.
	rm -rf dist
	$(BIN)/python -m build
