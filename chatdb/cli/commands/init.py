"""`chatdb init`: put the compose files and `.env.example` into a project."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import DataCommand, DryRunOption, argument, option
from chatdb.errors import ConfigurationError
from chatdb.variables import env_template

if TYPE_CHECKING:
    from chatdb.operations.dev_db.project_files import ProjectFile

app = command_app()

_NEXT = "chatdb dev-db up --migrate --write-env"
_NEXT_IN_PRODUCTION = (
    "in production: put POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB and APP_IMAGE into the"
    " environment or .env (mode 600), then: docker compose -f docker-compose.production.yml up -d"
)


@app.command(cls=DataCommand)
def init(
    context: typer.Context,
    folder: Annotated[Path, argument("DIR", "The project's folder.  [default: this one]")] = Path(),
    production: Annotated[
        bool, option("--production", "Also write a compose file for production.")
    ] = False,
    force: Annotated[
        bool, option("--force", "Replace files that differ, keeping each as NAME.old.")
    ] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Put the compose file and .env.example into a project.

    In a git repository, files with passwords or chats are added to .gitignore. Existing files are
    left unchanged without --force.

    \b
    Examples:
      chatdb init --dry-run
      chatdb init --production
    """
    from chatdb.operations.dev_db.project_files import ProjectFile, init_project, lines_to_add

    command = CommandContext.of(context)
    files = init_project(
        folder,
        env_template(),
        production=production,
        force=force,
        dry_run=dry_run,
        database=_database_file(command),
    )
    command.output.rows(files, ProjectFile, table=partial(_cells, dry_run=dry_run))
    missing = lines_to_add(files)
    if missing:
        command.diagnostics.note(
            f".gitignore was left unchanged; add to it: {' '.join(missing)} (or use --force)"
        )
    if any(file.action == "kept" and not file.missing for file in files):
        command.diagnostics.note(
            "files that were left unchanged differ from chatdb's; --force replaces them"
        )
    if dry_run:
        return
    place = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    command.diagnostics.note(f"next: {place}{_NEXT}")
    if production:
        command.diagnostics.note(_NEXT_IN_PRODUCTION)


def _cells(file: "ProjectFile", *, dry_run: bool) -> dict[str, Any]:
    changes = dry_run and file.action not in ("kept", "unchanged")
    action = f"would be {file.action}" if changes else file.action
    return {"path": file.path, "action": action, "old": file.old, "missing": file.missing}


def _database_file(command: CommandContext) -> Path | None:
    """Return the configured SQLite file; invalid settings are ignored here."""
    try:
        return command.url.path
    except ConfigurationError:
        return None
