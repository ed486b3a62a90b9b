"""SQLite's catalogue: described for `schema check`, written out for `schema dump`."""

import re
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from chatdb.db.contract.migration import CatalogueEntry
from chatdb.db.schema import TABLE_NAMES
from chatdb.db.sqlite.search_forms import FORMS, QUEUE

# Without SQL are the indexes that SQLite makes for keys; their names are not chatdb's.
_MASTER = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
_CONSTRAINT = re.compile(
    r"(?:CONSTRAINT\s+\"?(\w+)\"?\s+)?((?:PRIMARY KEY|UNIQUE|CHECK|FOREIGN KEY)\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_ORDER = ("table", "index", "view", "virtual", "trigger")


def read(connection: sa.Connection) -> Sequence[CatalogueEntry]:
    """Describe chatdb's tables, views, indexes and triggers, sorted."""
    entries: list[CatalogueEntry] = []
    for kind, name, table, text in _objects(connection):
        if kind == "table":
            entries.append(CatalogueEntry("table", name, name, "ordinary table"))
            entries += _columns(connection, name)
            entries += _constraints(name, text)
        elif kind == "virtual":
            entries.append(CatalogueEntry("table", name, name, normal(text)))
        else:
            owner = "" if kind == "view" else table
            entries.append(CatalogueEntry(kind, owner, name, normal(text)))
    return sorted(entries, key=lambda entry: (entry.kind, entry.table, entry.name))


def dump(connection: sa.Connection) -> Sequence[str]:
    """Return the statements of the live schema, tables first, triggers last."""
    objects = sorted(_objects(connection), key=lambda found: _ORDER.index(found[0]))
    return [text.strip() for _, _, _, text in objects]


def normal(text: str) -> str:
    """Return SQL with single spaces and without quotes around plain names."""
    # ALTER TABLE RENAME, which Alembic's batch mode ends with, writes quotes around the name.
    return re.sub(r"\s+", " ", re.sub(r"\"(\w+)\"", r"\1", text)).strip()


def _objects(connection: sa.Connection) -> list[tuple[str, str, str, str]]:
    """Return (kind, name, table, sql) of chatdb's objects: its tables and what depends on them."""
    found = []
    for kind, name, table, text in connection.exec_driver_sql(_MASTER):
        # SQLite lists a virtual table as a table; its columns
        # come from the module, not from the SQL.
        if kind == "table" and text.upper().startswith("CREATE VIRTUAL TABLE"):
            kind = "virtual"
        elif name in (FORMS, QUEUE):
            kind = "virtual"  # Described by its statement too, which `search-index rebuild` runs.
        if table in TABLE_NAMES or _is_search(kind, name):
            found.append((kind, name, table, text))
    return found


def _is_search(kind: str, name: str) -> bool:
    """FTS5's own tables, named after the virtual one, are its internals."""
    return kind in ("virtual", "view") and name.startswith("messages_search")


def _columns(connection: sa.Connection, table: str) -> Iterator[CatalogueEntry]:
    query = (
        'SELECT name, type, "notnull", dflt_value, hidden FROM pragma_table_xinfo(?) ORDER BY cid'
    )
    for name, type_name, not_null, default, hidden in connection.exec_driver_sql(query, (table,)):
        parts = [type_name or "any"]
        parts += ["not null"] if not_null else []
        parts += [f"default {default}"] if default is not None else []
        parts += ["generated"] if hidden else []
        yield CatalogueEntry("column", table, name, " ".join(parts))


def _constraints(table: str, text: str) -> Iterator[CatalogueEntry]:
    """Read them from the statement: SQLite's pragmas know neither names nor checks."""
    body = text[text.index("(") + 1 : text.rindex(")")]
    for number, item in enumerate(_split(body)):
        match = _CONSTRAINT.match(item.strip())
        if match is not None:
            name = match[1] or f"unnamed_{number}"
            yield CatalogueEntry("constraint", table, name, normal(match[2]))


def _split(body: str) -> Iterator[str]:
    """Split at the commas outside parentheses and quotes."""
    depth, quote, start = 0, "", 0
    for index, character in enumerate(body):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "," and depth == 0:
            yield body[start:index]
            start = index + 1
    yield body[start:]
