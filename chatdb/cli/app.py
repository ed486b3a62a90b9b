"""The root of the command line: the command table and the global options."""

from typing import Annotated, Any, ClassVar

import typer

from chatdb import __version__
from chatdb.cli.boundary import BoundaryGroup
from chatdb.cli.lazy_group import CommandEntry
from chatdb.cli.options import add_global_options, option
from chatdb.cli.output import Output

_MODULES = "chatdb.cli.commands."

COMMANDS = {
    "migrate": CommandEntry(
        _MODULES + "migrate", "Bring the database's schema to the newest revision."
    ),
    "schema": CommandEntry(_MODULES + "schema", "Inspect and change the schema and its revisions."),
    "import": CommandEntry(
        _MODULES + "import_.command", "Read chat exports and other systems' databases."
    ),
    "export": CommandEntry(_MODULES + "export", "Write conversations to files."),
    "convert": CommandEntry(
        _MODULES + "convert", "Convert an export to another format, without a database."
    ),
    "copy": CommandEntry(_MODULES + "copy", "Copy everything from one database into another."),
    "formats": CommandEntry(
        _MODULES + "formats", "List the formats and databases that can be read and written."
    ),
    "search": CommandEntry(_MODULES + "search", "Find messages by their words."),
    "search-index": CommandEntry(
        _MODULES + "search_index", "Inspect the full-text index, check it and rebuild it."
    ),
    "organizations": CommandEntry(
        _MODULES + "organizations", "List, create, rename and delete organizations (tenants)."
    ),
    "users": CommandEntry(_MODULES + "users", "List, show and rename the users of conversations."),
    "backup": CommandEntry(_MODULES + "backup.group", "Back up the database and manage backups."),
    "status": CommandEntry(
        _MODULES + "status.command", "Show the state of the database on one screen."
    ),
    "smoke-test": CommandEntry(
        _MODULES + "smoke_test.command", "Test that the database works and keeps tenants separate."
    ),
    "stats": CommandEntry(
        _MODULES + "stats.command", "Count messages by day, model, user and more."
    ),
    "restore": CommandEntry(
        _MODULES + "restore.command",
        "Restore a backup and swap it in for the current database.",
    ),
    "kept": CommandEntry(
        _MODULES + "kept", "List, show, restore and remove kept files and databases."
    ),
    "conversations": CommandEntry(
        _MODULES + "conversations.group", "List, show, create, change and delete conversations."
    ),
    "messages": CommandEntry(_MODULES + "messages", "Add, list, edit and delete messages."),
    "roles": CommandEntry(
        _MODULES + "roles", "List, create and drop the login roles of applications."
    ),
    "attachments": CommandEntry(
        _MODULES + "attachments.group", "List, export, check and prune kept attachments."
    ),
    "snapshots": CommandEntry(
        _MODULES + "snapshots", "List, show and save snapshots of a conversation."
    ),
    "security": CommandEntry(_MODULES + "security", "Check who can access whose chats."),
    "dev-db": CommandEntry(
        _MODULES + "dev_db.group", "Run a development PostgreSQL, with or without Docker."
    ),
    "wait": CommandEntry(_MODULES + "wait", "Wait until the database answers a query."),
    "connect": CommandEntry(_MODULES + "connect", "Open the database in psql, pgcli or sqlite3."),
    "seed": CommandEntry(_MODULES + "seed", "Fill a database with made-up chats."),
    "doctor": CommandEntry(
        _MODULES + "doctor", "Check what chatdb needs and say how to fix problems."
    ),
    "env-template": CommandEntry(
        _MODULES + "env_template", "Write a commented .env.example with every setting."
    ),
    "init": CommandEntry(
        _MODULES + "init", "Put the compose file and .env.example into a project."
    ),
    "environment": CommandEntry(
        _MODULES + "environment", "Label a database: development, staging or production."
    ),
    "config": CommandEntry(_MODULES + "config", "Show the settings and where they come from."),
}


class Root(BoundaryGroup):
    """The group `chatdb`, with the global options."""

    table: ClassVar[dict[str, CommandEntry]] = COMMANDS

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        add_global_options(self, listed=True)


app = typer.Typer(
    name="chatdb",
    cls=Root,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        output = Output()
        output.text(f"chatdb {__version__}")
        output.flush()  # Nothing is written after this that would report a full disk.
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        option("--version", "Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """The command line for a chat application's database.

    Without any setting chatdb uses SQLite at data/chatdb.db. DATABASE_URL or --database-url selects
    another database: PostgreSQL 15 to 18 or SQLite.

    \b
    Examples:
      chatdb import export.zip
      chatdb search "words to find"
      chatdb export --to markdown --output notes/
    """
    del version
