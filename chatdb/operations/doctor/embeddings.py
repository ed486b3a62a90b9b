"""The doctor's check of indexes on embeddings: does a tenant get its own nearest rows?

An HNSW or IVFFlat index finds the nearest rows of all tenants first, and row-level security or a
condition on `organization_id` then removes other tenants' rows. Only an iterative scan (pgvector
0.8) continues until there are enough.
"""

from collections.abc import Iterator

from chatdb.db.postgresql.place import sql_name
from chatdb.operations.doctor.findings import Check, Finding, info, ok, warning
from chatdb.operations.doctor.postgresql import ConnectedServer

_INDEXES = """
SELECT i.relname::text, a.amname::text,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector')
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am a ON a.oid = i.relam
WHERE x.indrelid = to_regclass('message_embeddings') AND a.amname IN ('hnsw', 'ivfflat')
  AND x.indpred IS NULL
ORDER BY 1
"""
_SETTINGS = """
SELECT coalesce(r.rolname::text, ''), split_part(setting, '=', 2)
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) setting
WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND split_part(setting, '=', 1) = %s
ORDER BY 1
"""
_WITH_ITERATIVE_SCAN = (0, 8)
_ITERATIVE = ("relaxed_order", "strict_order")


def _embeddings_index(server: ConnectedServer) -> Iterator[Finding]:
    with server.reading() as connection:
        found = connection.execute(_INDEXES).fetchall()
    if not found:
        yield ok("no approximate index on embeddings: searches are exact")
    for name, method, version in found:
        yield _finding(server, name, method, str(version))


def _finding(server: ConnectedServer, name: str, method: str, version: str) -> Finding:
    setting = f"{method}.iterative_scan"
    lacks = (
        f"the index {name} ({method}) gives a tenant fewer of its nearest rows, without an error"
    )
    if _numbers(version) < _WITH_ITERATIVE_SCAN:
        return warning(
            f"{lacks}: pgvector {version} has no {setting}",
            "install pgvector 0.8 or newer, then: ALTER EXTENSION vector UPDATE; or drop the index",
        )
    with server.reading() as connection:
        kept = connection.execute(_SETTINGS, (setting,)).fetchall()
        row = connection.execute("SELECT current_setting(%s, true)", (setting,)).fetchone()
    roles = [role for role, value in kept if role and value in _ITERATIVE]
    ours = server.connection.info.user
    is_for_all = any(not role and value in _ITERATIVE for role, value in kept)
    is_for_us = row is not None and row[0] in _ITERATIVE
    if is_for_all or (is_for_us and ours not in roles):
        return ok(f"the index {name} is scanned until there are enough hits")
    fix = f"ALTER DATABASE {sql_name(server.url.database)} SET {setting} = relaxed_order"
    if roles:
        return info(f"{setting} is on only for {', '.join(roles)}: for others {lacks}", fix)
    return warning(
        f"{lacks}, unless its application sets {setting} itself",
        f"{fix}; or drop the index: docs/schema.md",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


EMBEDDINGS_CHECK: Check[ConnectedServer] = Check("embeddings-index", _embeddings_index)
"""Checked after everything else on the server."""
