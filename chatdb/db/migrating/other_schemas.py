"""Other schemas of a PostgreSQL database that have tables of chatdb's."""

from collections.abc import Sequence

from chatdb.db.migrating.scripts import VERSION_TABLE

ELSEWHERE = f"""
SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'version_num' AND NOT a.attisdropped
WHERE c.relname = '{VERSION_TABLE}' AND c.relkind IN ('r', 'p')
  AND n.nspname IS DISTINCT FROM coalesce(%(schema)s, current_schema())
  AND n.nspname NOT LIKE 'pg\\_%%' ORDER BY n.nspname
"""
"""Finds the schemas with chatdb's tables, except the one being read."""


def in_schemas(names: Sequence[str]) -> str:
    """Write the schemas in words: in the schema app."""
    return f"in the {'schema' if len(names) == 1 else 'schemas'} {', '.join(names)}"
