"""The root of the command line: the command table and the global options."""

from typing import Annotated, Any, ClassVar

import typer

from chatdb import __version__
from chatdb.cli.boundary import BoundaryGroup
from chatdb.cli.lazy_group import CommandEntry
from chatdb.cli.options import add_global_options, option
from chatdb.cli.output import Output

_MODULES = "chatdb.cli.commands."

_GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Read": {
        "list": ("conversations.group:list", "List conversations, last updated first."),
        "show": ("conversations.group:show", "Show a conversation as a readable transcript."),
        "open": ("open", "Open a conversation as a page in the browser."),
        "search": ("search", "Find messages by their words."),
        "stats": ("stats.command", "Count messages by day, model, user and more."),
        "formats": ("formats", "List the formats and databases that can be read and written."),
    },
    "Write": {
        "conversations": (
            "conversations.group",
            "List, show, create, change and delete conversations.",
        ),
        "messages": ("messages", "Add, list, edit and delete messages."),
        "attachments": ("attachments.group", "List, export, check and prune kept attachments."),
        "snapshots": ("snapshots", "List, show and save snapshots of a conversation."),
        "users": ("users", "List, show and rename the users of conversations."),
        "organizations": (
            "organizations",
            "List, create, rename and delete organizations (tenants).",
        ),
    },
    "Move": {
        "import": ("import_.command", "Read chat exports and other systems' databases."),
        "export": ("export", "Write conversations to files."),
        "convert": ("convert", "Convert an export to another format, without a database."),
        "copy": ("copy", "Copy everything from one database into another."),
    },
    "Protect": {
        "backup": ("backup.group", "Back up the database and manage backups."),
        "restore": ("restore.command", "Restore a backup and swap it in for the current database."),
        "kept": ("kept", "List, show, restore and remove kept files and databases."),
        "roles": ("roles", "List, create and drop the login roles of applications."),
        "security": ("security", "Check who can access whose chats."),
    },
    "Operate": {
        "status": ("status.command", "Show the state of the database on one screen."),
        "doctor": ("doctor", "Check what chatdb needs and say how to fix problems."),
        "migrate": ("migrate", "Bring the database's schema to the newest revision."),
        "schema": ("schema", "Inspect and change the schema and its revisions."),
        "embeddings": (
            "embeddings",
            "Build, count and remove the vectors for search by meaning.",
        ),
        "search-index": ("search_index", "Inspect the full-text index, check it and rebuild it."),
        "wait": ("wait", "Wait until the database answers a query."),
        "connect": ("connect", "Open the database in psql, pgcli or sqlite3."),
        "environment": ("environment", "Label a database: development, staging or production."),
        "config": ("config", "Show the settings and their sources; change your own."),
    },
    "Develop": {
        "dev-db": ("dev_db.group", "Run a development PostgreSQL, with or without Docker."),
        "seed": ("seed", "Fill a database with made-up chats."),
        "smoke-test": (
            "smoke_test.command",
            "Test that the database works and keeps tenants separate.",
        ),
        "init": ("init", "Put the compose file and .env.example into a project."),
        "env-template": ("env_template", "Write a commented .env.example with every setting."),
    },
}
"""Module and help by what one wants to do; `module:name` is a command of a group."""

COMMANDS = {
    name: CommandEntry(_MODULES + module, help_text, group)
    for group, commands in _GROUPS.items()
    for name, (module, help_text) in commands.items()
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
