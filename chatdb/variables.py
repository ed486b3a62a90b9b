"""Every variable that chatdb reads from the environment or a `.env`, in one table.

`chatdb.config` looks for these names and no others; `chatdb env-template` writes them all.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One setting: the first of `names` that has a value is used.

    `default` is the value without it, None if there is none; then `example` is shown.
    `environment_only` is not read from a `.env`.
    """

    names: tuple[str, ...]
    about: str
    default: str | None = None
    example: str = ""
    environment_only: bool = False


DATABASE_URL = Variable(
    names=("CHATDB_DATABASE_URL", "DATABASE_URL"),
    about=(
        "The database: a SQLite file, or postgresql://user:password@host:5432/database.\nSpecial "
        "characters in a password should be percent-encoded (@ as %40)."
    ),
    default="sqlite:///data/chatdb.db",
)
DIRECT_URL = Variable(
    names=("CHATDB_DIRECT_URL", "DIRECT_URL"),
    about="URL of the same database that bypasses the pooler, for migrations and dumps.",
    example="postgresql://user:password@host:5432/database",
)
SCHEMA = Variable(
    names=("CHATDB_SCHEMA",),
    about="PostgreSQL schema of chatdb's tables; without it, the connection's own.",
    example="chatdb",
)
ORG = Variable(
    names=("CHATDB_ORG",),
    about="Organization (tenant) to work on.",
    default="default",
)
TIMEZONE = Variable(
    names=("CHATDB_TIMEZONE",),
    about="Time zone of dates that are typed, and of the days that are counted: Europe/Berlin.",
    default="UTC",
)
ATTACHMENTS_DIR = Variable(
    names=("CHATDB_ATTACHMENTS_DIR",),
    about=(
        "Folder of the attachments that are kept; beside a SQLite file by default\n"
        "(chatdb.db-attachments), while PostgreSQL has none."
    ),
    example="/var/lib/chatdb/attachments",
)
LIBPQ = (
    Variable(
        names=("PGHOST",),
        about=(
            "libpq's own variables, used if no URL is set and PGHOST or PGDATABASE is.\nEvery "
            "other PG* variable (PGSSLMODE, PGPASSFILE ...) counts as well."
        ),
        example="127.0.0.1",
    ),
    Variable(names=("PGPORT",), about="", example="5432"),
    Variable(names=("PGDATABASE",), about="", example="chatdb"),
    Variable(names=("PGUSER",), about="", example="chatdb"),
    Variable(names=("PGPASSWORD",), about="", example="change-me"),
    Variable(names=("PGSERVICE",), about="", example="chatdb"),
)
DEV_IMAGE = Variable(
    names=("CHATDB_DEV_IMAGE",),
    about=(
        "The development server (chatdb dev-db); docker-compose.dev.yml reads these as well.\n"
        "Its image:"
    ),
    default="pgvector/pgvector:pg17",
)
DEV_PORT = Variable(
    names=("CHATDB_DEV_PORT",),
    about="Port on 127.0.0.1; auto picks a free one.",
    default="5432",
)
DEV_USER = Variable(names=("CHATDB_DEV_USER",), about="", default="chatdb")
DEV_PASSWORD = Variable(names=("CHATDB_DEV_PASSWORD",), about="", default="chatdb")
DEV_DATABASE = Variable(names=("CHATDB_DEV_DATABASE",), about="", default="chatdb_dev")
DEV_MEMORY = Variable(
    names=("CHATDB_DEV_MEMORY",),
    about="Memory limit of a server in a container.",
    default="2g",
)
BACKUP_URL = Variable(
    names=("CHATDB_BACKUP_URL",),
    about=(
        "Where backups go: a folder, or s3://bucket/folder, gs://..., az://...\n(credentials are "
        "found where the provider's own programs find them)."
    ),
    default="backups",
)
AGE_RECIPIENTS = Variable(
    names=("CHATDB_AGE_RECIPIENTS",),
    about="Recipients of encrypted backups: public keys (age1..., ssh-...) or a file of them.",
    example="/etc/chatdb/recipients.txt",
)
AGE_IDENTITY = Variable(
    names=("CHATDB_AGE_IDENTITY",),
    about="File with the private key for encrypted backups.",
    example="/etc/chatdb/key.txt",
)
NOTIFY_URL = Variable(
    names=("CHATDB_NOTIFY_URL",),
    about="URL to which the outcome of backup, verify and prune is posted (a dead-man's switch).",
    example="https://hc-ping.com/UUID/{exit_code}",
)
EMBEDDINGS = (
    Variable(
        names=("CHATDB_EMBEDDINGS_URL",),
        about=(
            "API like OpenAI's that makes embeddings: messages are sent there.\n"
            "Without it the packaged model is used, and nothing leaves this machine."
        ),
        example="http://127.0.0.1:11434/v1",
    ),
    Variable(
        names=("CHATDB_EMBEDDINGS_KEY",),
        about="Its key, set where its URL is.",
        example="sk-change-me",
    ),
    Variable(
        names=("CHATDB_EMBEDDINGS_MODEL",),
        about="Model of embeddings without --model.",
        default="wordllama",
    ),
)
PG_BINDIR = Variable(
    names=("CHATDB_PG_BINDIR",),
    about="Folder of PostgreSQL's own programs (psql, pg_dump, initdb ...).",
    example="/usr/lib/postgresql/17/bin",
    environment_only=True,
)
PAGER = Variable(
    names=("CHATDB_PAGER", "PAGER"),
    about="Pager for long text on a terminal; cat for none.",
    default="less",
    environment_only=True,
)
NO_COLOR = Variable(
    names=("NO_COLOR",),
    about="Any value: no colours.",
    example="1",
    environment_only=True,
)
TERM = Variable(
    names=("TERM",),
    about="The terminal; on one called dumb there are no colours.",
    example="dumb",
    environment_only=True,
)
LESS = Variable(
    names=("LESS",),
    about="Options for less unless you have set it.",
    default="FRX",
    environment_only=True,
)
CONFIG_FILE = Variable(
    names=("CHATDB_CONFIG_FILE",),
    about="The user's settings file; by default chatdb/config.toml in XDG_CONFIG_HOME.",
    example="/home/me/chatdb.toml",
    environment_only=True,
)
XDG_CONFIG_HOME = Variable(
    names=("XDG_CONFIG_HOME",),
    about="Where the user's settings file is looked for.",
    default="~/.config",
    environment_only=True,
)
XDG_STATE_HOME = Variable(
    names=("XDG_STATE_HOME",),
    about="Where chatdb remembers short cursors and the database used last, in a folder chatdb.",
    default="~/.local/state",
    environment_only=True,
)
EDITOR = Variable(
    names=("VISUAL", "EDITOR"),
    about="Editor for chatdb config edit; without it editor, nano or vi.",
    example="vim",
    environment_only=True,
)
BROWSER = Variable(
    names=("BROWSER",),
    about="Browser for chatdb open; without it, the desktop's own.",
    example="firefox",
    environment_only=True,
)
DISPLAY = Variable(
    names=("DISPLAY",),
    about="The screen; without one (or WAYLAND_DISPLAY) chatdb open looks for no browser.",
    example=":0",
    environment_only=True,
)
WAYLAND_DISPLAY = Variable(
    names=("WAYLAND_DISPLAY",),
    about="",
    example="wayland-0",
    environment_only=True,
)

VARIABLES = (
    *(DATABASE_URL, DIRECT_URL, SCHEMA, ORG, TIMEZONE, ATTACHMENTS_DIR, *LIBPQ),
    *(DEV_IMAGE, DEV_PORT, DEV_USER, DEV_PASSWORD, DEV_DATABASE, DEV_MEMORY),
    *(BACKUP_URL, AGE_RECIPIENTS, AGE_IDENTITY, NOTIFY_URL),
    *EMBEDDINGS,
    *(PG_BINDIR, PAGER, NO_COLOR, TERM, LESS),
    *(CONFIG_FILE, XDG_CONFIG_HOME, XDG_STATE_HOME, EDITOR, BROWSER, DISPLAY, WAYLAND_DISPLAY),
)

_HEAD = """\
# The settings of chatdb. Copy this file to .env, and uncomment what you want to change.
#
#   cp .env.example .env && chmod 600 .env
#
# Options and the environment override this file; `chatdb config show` prints each value's source.
# Each line shows the default, unless it says otherwise.
"""
_ENVIRONMENT_ONLY = """\

# --- Read from the environment only, not from this file --------------------------------------
"""


def env_template() -> str:
    """Return the text of a `.env.example`: every variable, commented out, with its default."""
    blocks = [_HEAD]
    blocks += [_block(variable) for variable in VARIABLES if not variable.environment_only]
    blocks.append(_ENVIRONMENT_ONLY)
    blocks += [_block(variable) for variable in VARIABLES if variable.environment_only]
    return "".join(blocks)


def _block(variable: Variable) -> str:
    return "".join(f"{line}\n" for line in _lines(variable))


def _lines(variable: Variable) -> Iterator[str]:
    if variable.about:
        yield ""
        for line in variable.about.split("\n"):
            yield f"# {line}"
        if len(variable.names) > 1:
            yield f"# {variable.names[0]} overrides {' and '.join(variable.names[1:])}."
        if variable.default is None:
            yield "# Not set by default; for example:"
    value = variable.example if variable.default is None else variable.default
    yield f"#{variable.names[-1]}={value}"
