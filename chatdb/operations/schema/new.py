"""Writes a migration from the difference between `db/schema.py` and head; in a checkout only."""

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.migrating.alembic_scripts import write_script
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.migrating.scripts import head_revision, is_checkout, migrations_directory
from chatdb.db.types import CanonicalJson, FloatVector, HyphenUuid, StoredText, UtcTime
from chatdb.db.url import DatabaseUrl
from chatdb.errors import RefusedError, UsageError

_SPELLED = {
    StoredText: "sa.Text()",
    HyphenUuid: 'sa.Uuid().with_variant(sa.Text(), "sqlite")',
    UtcTime: 'sa.DateTime(timezone=True).with_variant(sa.Text(), "sqlite")',
    CanonicalJson: 'postgresql.JSONB().with_variant(sa.Text(), "sqlite")',
    FloatVector: 'postgresql.JSONB().with_variant(sa.Text(), "sqlite")',
}
"""A migration imports nothing of chatdb: it spells out what `db/types.py` does today."""

_ONLY_IN_SQLITE = frozenset({"rid", "uq_messages_key"})


def new_revision(title: str) -> Path:
    """Write `NNNN_<title>.py` with what `db/schema.py` has beyond head; return its path.

    A developer reads it before it is committed: renames look like drops, and data migrations are
    not detected. Raises RefusedError outside a checkout, UsageError for a title without letters.
    """
    if not is_checkout():
        raise RefusedError(
            "new revisions can only be written in a source checkout: the migrations in "
            f"{migrations_directory()} belong to an installed chatdb",
            hint="clone the repository, run pip install -e . and try again there",
        )
    if not any(character.isalpha() for character in title):
        raise UsageError("the title has no words", hint='chatdb schema new "add tags"')
    revision = f"{int(head_revision()) + 1:04d}"
    with tempfile.TemporaryDirectory(prefix="chatdb-") as folder:
        url = DatabaseUrl(dialect_name="sqlite", path=Path(folder) / "scratch.db")
        with Database.open(url, create=True) as scratch:
            upgrade(scratch)
            with scratch.migration_transaction() as connection:
                paths = write_script(
                    connection,
                    revision=revision,
                    title=title.strip(),
                    include_object=include_object,
                    render_item=render_item,
                )
    _tidy(paths[0])
    return paths[0]


def _tidy(path: Path) -> None:
    """Format the script as the repository's checks require, if the tool is installed."""
    if find_spec("ruff") is None:
        return
    for words in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *words, str(path)], check=False, capture_output=True
        )


def include_object(
    item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
) -> bool:
    """Leave out what `db/schema.py` does not know: search tables, SQLite's row id, expressions."""
    del compare_to
    if name is None or name in _ONLY_IN_SQLITE or name.startswith("messages_search"):
        return False
    if kind == "index":
        return not _has_expressions(item)
    return not (kind == "table" and reflected and name not in _own_tables())


def render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:
    """Spell chatdb's types with SQLAlchemy's own; False leaves the type to Alembic."""
    if kind == "type" and type(item) in _SPELLED:
        if isinstance(item, CanonicalJson | FloatVector):
            autogen_context.imports.add("from sqlalchemy.dialects import postgresql")
        return _SPELLED[type(item)]
    return False


def _has_expressions(index: sa.Index) -> bool:
    return any(not isinstance(expression, sa.Column) for expression in index.expressions)


def _own_tables() -> frozenset[str]:
    from chatdb.db.schema import TABLE_NAMES

    return TABLE_NAMES
