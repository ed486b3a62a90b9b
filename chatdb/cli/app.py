"""The root of the command line: the table of commands and the options that stand everywhere."""

from typing import Annotated, Any, ClassVar

import typer

from chatdb import __version__
from chatdb.cli.boundary import BoundaryGroup
from chatdb.cli.lazy_group import Entry
from chatdb.cli.options import add_global_options
from chatdb.cli.output import Output

_MODULES = "chatdb.cli.commands."

COMMANDS = {
    "migrate": Entry(_MODULES + "migrate", "Bring the database's schema to the newest revision."),
    "schema": Entry(_MODULES + "schema", "Look at the schema and its revisions, and change them."),
    "import": Entry(_MODULES + "import_", "Read chat exports and other systems' databases."),
    "export": Entry(_MODULES + "export", "Write conversations to files."),
    "convert": Entry(
        _MODULES + "convert", "Turn an export into another format, without a database."
    ),
    "copy": Entry(_MODULES + "copy", "Copy everything from one database into another."),
    "formats": Entry(
        _MODULES + "formats", "List the formats and databases that can be read and written."
    ),
    "search": Entry(_MODULES + "search", "Find messages by their words."),
    "search-index": Entry(
        _MODULES + "search_index", "Look at the full-text index, check it and rebuild it."
    ),
    "organizations": Entry(
        _MODULES + "organizations", "List, create, rename and delete organizations (tenants)."
    ),
    "users": Entry(_MODULES + "users", "List, show and rename the users of conversations."),
    "backup": Entry(_MODULES + "backup", "Back the database up, and look after the backups."),
    "status": Entry(_MODULES + "status", "Tell where the database stands, on one screen."),
    "smoke-test": Entry(
        _MODULES + "smoke_test", "Prove that the database works and keeps tenants apart."
    ),
    "stats": Entry(_MODULES + "stats", "Count messages by day, model, user and more."),
    "restore": Entry(
        _MODULES + "restore",
        "Bring a backup back and put it in the database's place.",
    ),
    "kept": Entry(_MODULES + "kept", "List, show, bring back and remove what was kept."),
    "conversations": Entry(
        _MODULES + "conversations", "List, show, create, change and delete conversations."
    ),
    "messages": Entry(_MODULES + "messages", "Add, list, edit and delete messages."),
    "roles": Entry(_MODULES + "roles", "List, create and drop the login roles of applications."),
    "snapshots": Entry(_MODULES + "snapshots", "List, show and save snapshots of a conversation."),
    "security": Entry(_MODULES + "security", "Check who can reach whose chats."),
    "dev-db": Entry(
        _MODULES + "dev_db", "Run a PostgreSQL for development, with Docker or without."
    ),
    "wait": Entry(_MODULES + "wait", "Wait until the database answers a query."),
    "connect": Entry(_MODULES + "connect", "Open the database in its own client."),
    "seed": Entry(_MODULES + "seed", "Fill a database with made-up chats."),
    "doctor": Entry(_MODULES + "doctor", "Check what chatdb needs and say how to mend it."),
    "env-template": Entry(
        _MODULES + "env_template", "Write a commented .env.example with every setting."
    ),
    "init": Entry(_MODULES + "init", "Put the compose file and .env.example into a project."),
    "environment": Entry(
        _MODULES + "environment", "Label a database: development, staging or production."
    ),
    "config": Entry(_MODULES + "config", "Show the settings and where they come from."),
}


class Root(BoundaryGroup):
    """The group `chatdb`, with the global options."""

    table: ClassVar[dict[str, Entry]] = COMMANDS

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
        output.flush()  # nothing comes after it that would tell a full disk
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """The command line for the life of a chat application's database.

    Without any setting chatdb works on SQLite at data/chatdb.db; DATABASE_URL or
    --database-url names another database, PostgreSQL 15 to 18 or SQLite.

    \b
    Examples:
      chatdb import export.zip
      chatdb search "words to find"
      chatdb export --to markdown --output notes/
    """
    del version
