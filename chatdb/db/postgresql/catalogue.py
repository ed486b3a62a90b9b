"""PostgreSQL's catalogue: described for `schema check`, written out for `schema dump`.

The `pg_get_...` functions write names without their schema if it is the search path, so the text is
the same for any schema; NOT NULL, catalogued as a constraint from 18 on, is part of its column.
"""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from chatdb.db.contract.migration import CatalogueEntry
from chatdb.db.schema import TABLE_NAMES, message_embeddings

_PREPARER = PGDialect_psycopg().identifier_preparer  # type: ignore[no-untyped-call]
_NAMES = sorted(TABLE_NAMES)
_FUNCTIONS = "chatdb\\_%"
_VECTOR = re.compile(r"(?:.*\.)?vector(?:\(\d+\))?")
_OWN_PATH = "SET search_path FROM CURRENT"
_MAKE_OWN_PATH = (
    "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', false)"
)

_RELATIONS = """
SELECT c.relname, c.relkind::text, c.relpersistence::text,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
       coalesce(array_to_string(c.reloptions, ', '), ''), c.relrowsecurity, c.relforcerowsecurity
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
_POLICIES = """
SELECT c.relname, p.polname, p.polpermissive, p.polcmd::text,
       ARRAY(SELECT coalesce(r.rolname, 'public') FROM unnest(p.polroles) AS o
             LEFT JOIN pg_roles r ON r.oid = o ORDER BY 1),
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY(%s) ORDER BY c.relname, p.polname
"""
_ROUTINES = """
SELECT p.proname, pg_get_functiondef(p.oid), p.oid::regprocedure::text,
       EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
               WHERE a.grantee = 0)
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = current_schema() AND p.proname LIKE %s ORDER BY p.proname
"""


def read(connection: sa.Connection) -> Sequence[CatalogueEntry]:
    """Describe chatdb's tables, views, functions and everything that depends on them, sorted."""
    entries = [
        *_relations(connection),
        *_columns(connection),
        *(
            CatalogueEntry("constraint", table, name, normal(text))
            for table, name, text in _query(connection, _CONSTRAINTS)
        ),
        *(
            CatalogueEntry(
                "index", table, name, index_definition(text) + ("" if valid else " (invalid)")
            )
            for table, name, text, valid in _query(connection, _INDEXES)
        ),
        *(
            CatalogueEntry("trigger", table, name, _trigger(text) + _enabled(state))
            for table, name, text, state in _query(connection, _TRIGGERS)
        ),
        *(
            CatalogueEntry("function", "", name, _routine(connection, text))
            for name, text, *_ in connection.exec_driver_sql(_ROUTINES, (_FUNCTIONS,))
        ),
        *(
            CatalogueEntry("policy", row[0], row[1], _policy(*row[2:]))
            for row in _query(connection, _POLICIES)
        ),
    ]
    return sorted(entries, key=lambda entry: (entry.kind, entry.table, entry.name))


def dump(connection: sa.Connection) -> Sequence[str]:
    """Return the statements of the live schema: tables, functions, what depends on them.

    Names have no schema: the search path of the session that runs them decides.
    """
    relations = _query(connection, _RELATIONS)
    columns = _query(connection, _COLUMNS)
    constraints = _query(connection, _CONSTRAINTS)
    statements = [
        _create_extension(type_name)
        for table, _, type_name, *_ in columns
        if _is_vector(table, type_name)
    ]
    statements += [
        _create_table(table, persistence, [row for row in columns if row[0] == table])
        for table, kind, persistence, *_ in relations
        if kind in ("r", "p")
    ]
    # Last of the constraints: they want the keys of other tables.
    foreign = [row for row in constraints if row[2].startswith("FOREIGN KEY")]
    own = [row for row in constraints if row not in foreign]
    statements += [
        f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_quoted(name)} {text}"
        for table, name, text in own + foreign
    ]
    # Before the indexes, which call some of them; a body of PL/pgSQL may name what comes later.
    statements += _create_functions(connection)
    statements += [index_definition(row[2]) for row in _query(connection, _INDEXES)]
    statements += [
        f"CREATE {'VIEW' if kind == 'v' else 'MATERIALIZED VIEW'} {_quoted(name)}"
        + (f" WITH ({options})" if options else "")
        + " AS\n"
        + text.strip().rstrip(";")
        for name, kind, _, text, options, *_ in relations
        if kind in ("v", "m")
    ]
    statements += [_trigger(row[2]) for row in _query(connection, _TRIGGERS)]
    return statements + _create_policies(connection, relations)


def normal(text: str) -> str:
    """Return a definition with single spaces."""
    return re.sub(r"\s+", " ", text).strip()


def _relations(connection: sa.Connection) -> list[CatalogueEntry]:
    entries = []
    for name, kind, persistence, view, options, separated, forced in _query(connection, _RELATIONS):
        if view is not None:
            shown = _view(view) + (f" ({options})" if options else "")
            entries.append(CatalogueEntry("view", "", name, shown))
        else:
            kinds = {"r": "ordinary table", "p": "ordinary table", "f": "foreign table"}
            shown = ("unlogged " if persistence == "u" else "") + kinds[kind]
            shown += ", row-level security" if separated else ""
            shown += ", forced on the owner" if forced else ""
            entries.append(CatalogueEntry("table", name, name, shown))
    return entries


def _policy(
    permissive: bool, command: str, roles: Sequence[str], using: str | None, check: str | None
) -> str:
    commands = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
    parts = [] if permissive else ["AS RESTRICTIVE"]
    parts.append(f"FOR {commands[command]} TO {', '.join(map(_quoted, roles))}")
    if using is not None:
        parts.append(f"USING ({normal(using)})")
    if check is not None:
        parts.append(f"WITH CHECK ({normal(check)})")
    return " ".join(parts)


def _create_policies(connection: sa.Connection, relations: Sequence[Any]) -> list[str]:
    statements = []
    for name, *_, separated, forced in relations:
        words = ["ENABLE"] * separated + ["FORCE"] * forced
        statements += [f"ALTER TABLE {_quoted(name)} {word} ROW LEVEL SECURITY" for word in words]
    statements += [
        f"CREATE POLICY {_quoted(row[1])} ON {_quoted(row[0])} {_policy(*row[2:])}"
        for row in _query(connection, _POLICIES)
    ]
    return statements


def _create_functions(connection: sa.Connection) -> list[str]:
    """Write each function; one whose search path is its schema gets that of its creator."""
    statements = []
    for _, text, signature, for_all in connection.exec_driver_sql(_ROUTINES, (_FUNCTIONS,)):
        statement = _without_schema(connection, text).strip()
        if _OWN_PATH in statement:
            statements.append(_MAKE_OWN_PATH)
        statements.append(statement)
        # A new function may be called by everybody; these were taken back from PUBLIC.
        if not for_all:
            statements.append(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
    return statements


def _columns(connection: sa.Connection) -> list[CatalogueEntry]:
    """Describe the columns; embeddings may have pgvector's type or JSONB."""
    return [
        CatalogueEntry(
            "column",
            table,
            name,
            # Which of the two it is depends on the extensions when
            # revision 0005 ran: both are right.
            _column("jsonb" if _is_vector(table, type_name) else type_name, *more),
        )
        for table, name, type_name, *more in _query(connection, _COLUMNS)
    ]


def _is_vector(table: str, type_name: str) -> bool:
    """Recognise pgvector's type, in any schema and of any dimension."""
    return table == message_embeddings.name and _VECTOR.fullmatch(type_name) is not None


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


def _create_extension(type_name: str) -> str:
    """Write the statement for pgvector's type, in the schema that the type's name may have."""
    place = type_name.rpartition(".")[0]
    return "CREATE EXTENSION IF NOT EXISTS vector" + (f" WITH SCHEMA {place}" if place else "")


def _create_table(table: str, persistence: str, columns: Sequence[Any]) -> str:
    lines = ",\n".join(f"    {_quoted(row[1])} {_column(*row[2:])}" for row in columns)
    unlogged = "UNLOGGED " if persistence == "u" else ""
    return f"CREATE {unlogged}TABLE {_quoted(table)} (\n{lines}\n)"


def index_definition(text: str) -> str:
    """Remove the schema, which `pg_get_indexdef` writes whatever the search path."""
    return normal(re.sub(r"( ON (?:ONLY )?)(?:\"(?:[^\"]|\"\")+\"|\w+)\.", r"\1", text, count=1))


def _trigger(text: str) -> str:
    return normal(text)


def _enabled(state: str) -> str:
    return {"O": "", "D": " (disabled)"}.get(state, f" (enabled: {state})")


def _view(text: str) -> str:
    """Remove the tables' names before columns: which ones are written depends on the version."""
    return re.sub(r"\b[a-z_]\w*\.(?=[a-z_\"])", "", normal(text)).rstrip(";")


def _routine(connection: sa.Connection, text: str) -> str:
    return normal(_without_schema(connection, text))


def _without_schema(connection: sa.Connection, text: str) -> str:
    quoted, literal = connection.exec_driver_sql(
        "SELECT quote_ident(current_schema()), quote_literal(current_schema())"
    ).one()
    text = text.replace(f"FUNCTION {quoted}.", "FUNCTION ", 1)
    return text.replace(f"SET search_path TO {literal}, 'pg_temp'", _OWN_PATH, 1)


def _quoted(name: str) -> str:
    return _PREPARER.quote(name)


def _query(connection: sa.Connection, query: str) -> Sequence[Any]:
    return connection.exec_driver_sql(query, (_NAMES,)).fetchall()
