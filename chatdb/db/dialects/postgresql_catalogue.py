"""PostgreSQL's catalogue: described for `schema check`, written out for `schema dump`.

The `pg_get_...` functions write names without their schema while it is the search path, so the
same text comes from any schema; NOT NULL, catalogued as a constraint from 18 on, is told with
its column.
"""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from chatdb.db.dialects.migration_base import CatalogueEntry
from chatdb.db.schema import TABLE_NAMES

_PREPARER = PGDialect_psycopg().identifier_preparer  # type: ignore[no-untyped-call]
_NAMES = sorted(TABLE_NAMES)
_FUNCTIONS = "chatdb\\_%"

_RELATIONS = """
SELECT c.relname, c.relkind::text, c.relpersistence::text,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND c.relname = ANY(%s) ORDER BY c.relname
"""
_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid), a.attidentity::text, a.attgenerated::text,
       CASE WHEN a.attcollation <> t.typcollation THEN l.collname END
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s)
  AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum
"""
_CONSTRAINTS = """
SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY(%s) AND k.contype IN ('p','u','c','f','x')
ORDER BY c.relname, array_position(ARRAY['p','u','c','x','f'], k.contype::text), k.conname
"""
_INDEXES = """
SELECT c.relname, i.relname, pg_get_indexdef(x.indexrelid), x.indisvalid
FROM pg_index x
JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY(%s)
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid
                  AND k.contype IN ('p', 'u', 'x')) ORDER BY c.relname, i.relname
"""
_TRIGGERS = """
SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid, true), t.tgenabled::text
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY(%s) AND NOT t.tgisinternal
ORDER BY c.relname, t.tgname
"""
_ROUTINES = """
SELECT p.proname, pg_get_functiondef(p.oid)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = current_schema() AND p.proname LIKE %s ORDER BY p.proname
"""


def read(connection: sa.Connection) -> Sequence[CatalogueEntry]:
    """Describe chatdb's tables, views, functions and all that hangs on them, sorted."""
    entries = [
        *_relations(connection),
        *_columns(connection),
        *(
            CatalogueEntry("constraint", table, name, normal(text))
            for table, name, text in _query(connection, _CONSTRAINTS)
        ),
        *(
            CatalogueEntry("index", table, name, _index(text) + ("" if valid else " (invalid)"))
            for table, name, text, valid in _query(connection, _INDEXES)
        ),
        *(
            CatalogueEntry("trigger", table, name, _trigger(text) + _enabled(state))
            for table, name, text, state in _query(connection, _TRIGGERS)
        ),
        *(
            CatalogueEntry("function", "", name, _routine(connection, text))
            for name, text in connection.exec_driver_sql(_ROUTINES, (_FUNCTIONS,))
        ),
    ]
    return sorted(entries, key=lambda entry: (entry.kind, entry.table, entry.name))


def dump(connection: sa.Connection) -> Sequence[str]:
    """Return the statements of the live schema: tables, keys, indexes, views, functions, triggers.

    Names stand without their schema: the search path of the session that runs them decides.
    """
    relations = _query(connection, _RELATIONS)
    columns = _query(connection, _COLUMNS)
    constraints = _query(connection, _CONSTRAINTS)
    statements = [
        _create_table(table, persistence, [row for row in columns if row[0] == table])
        for table, kind, persistence, _ in relations
        if kind in ("r", "p")
    ]
    foreign = [row for row in constraints if row[2].startswith("FOREIGN KEY")]
    own = [row for row in constraints if row not in foreign]
    statements += [
        f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_quoted(name)} {text}"
        for table, name, text in own + foreign
    ]
    statements += [_index(row[2]) for row in _query(connection, _INDEXES)]
    statements += [
        f"CREATE {'VIEW' if kind == 'v' else 'MATERIALIZED VIEW'} {_quoted(name)} AS\n"
        + text.strip().rstrip(";")
        for name, kind, _, text in relations
        if kind in ("v", "m")
    ]
    for _, text in connection.exec_driver_sql(_ROUTINES, (_FUNCTIONS,)):
        statements.append(_without_schema(connection, text).strip())
    statements += [_trigger(row[2]) for row in _query(connection, _TRIGGERS)]
    return statements


def normal(text: str) -> str:
    """Return a definition with single spaces."""
    return re.sub(r"\s+", " ", text).strip()


def _relations(connection: sa.Connection) -> list[CatalogueEntry]:
    entries = []
    for name, kind, persistence, view in _query(connection, _RELATIONS):
        if view is not None:
            entries.append(CatalogueEntry("view", "", name, _view(view)))
        else:
            kinds = {"r": "ordinary table", "p": "ordinary table", "f": "foreign table"}
            unlogged = "unlogged " if persistence == "u" else ""
            entries.append(CatalogueEntry("table", name, name, unlogged + kinds[kind]))
    return entries


def _columns(connection: sa.Connection) -> list[CatalogueEntry]:
    return [
        CatalogueEntry("column", row[0], row[1], _column(*row[2:]))
        for row in _query(connection, _COLUMNS)
    ]


def _column(
    type_name: str,
    not_null: bool,
    default: str | None,
    identity: str,
    generated: str,
    collation: str | None,
) -> str:
    parts = [type_name]
    if collation:
        parts.append(f"COLLATE {_quoted(collation)}")
    if generated:
        parts.append(f"GENERATED ALWAYS AS ({default}) STORED")
    elif identity:
        parts.append(f"GENERATED {'ALWAYS' if identity == 'a' else 'BY DEFAULT'} AS IDENTITY")
    elif default is not None:
        parts.append(f"DEFAULT {default}")
    if not_null:
        parts.append("NOT NULL")
    return " ".join(parts)


def _create_table(table: str, persistence: str, columns: Sequence[Any]) -> str:
    lines = ",\n".join(f"    {_quoted(row[1])} {_column(*row[2:])}" for row in columns)
    unlogged = "UNLOGGED " if persistence == "u" else ""
    return f"CREATE {unlogged}TABLE {_quoted(table)} (\n{lines}\n)"


def _index(text: str) -> str:
    """Strike the schema, which `pg_get_indexdef` writes whatever the search path."""
    return normal(re.sub(r"( ON (?:ONLY )?)(?:\"(?:[^\"]|\"\")+\"|\w+)\.", r"\1", text, count=1))


def _trigger(text: str) -> str:
    return normal(text)


def _enabled(state: str) -> str:
    return {"O": "", "D": " (disabled)"}.get(state, f" (enabled: {state})")


def _view(text: str) -> str:
    """Strike the tables' names before columns: which ones are written depends on the version."""
    return re.sub(r"\b[a-z_]\w*\.(?=[a-z_\"])", "", normal(text)).rstrip(";")


def _routine(connection: sa.Connection, text: str) -> str:
    return normal(_without_schema(connection, text))


def _without_schema(connection: sa.Connection, text: str) -> str:
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    return text.replace(f"FUNCTION {schema}.", "FUNCTION ", 1)


def _quoted(name: str) -> str:
    return _PREPARER.quote(name)


def _query(connection: sa.Connection, query: str) -> Sequence[Any]:
    return connection.exec_driver_sql(query, (_NAMES,)).fetchall()
