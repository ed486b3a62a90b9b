"""Owners and privileges of chatdb's tables in a database, as statements for another.

A backup has the privileges of its time and server. A database that replaces another gets the
latter's: an application keeps what it was granted since, and a role that lost a privilege does not
regain it. The statements skip objects that do not exist.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from chatdb.db.schema import TABLE_NAMES

if TYPE_CHECKING:
    import psycopg

_TABLES = """
SELECT format('%%I.%%I', nspname, relname), quote_ident(pg_get_userbyid(relowner)),
       coalesce(relacl, acldefault('r', relowner))::text[], relowner,
       relrowsecurity, relforcerowsecurity
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = coalesce(%(schema)s, current_schema()) AND relkind IN ('r', 'p', 'v')
  AND relname = ANY(%(names)s) ORDER BY relname
"""
_FUNCTIONS = """
SELECT p.oid::regprocedure::text,
       quote_ident(pg_get_userbyid(proowner)), coalesce(proacl, acldefault('f', proowner))::text[],
       proowner
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
WHERE nspname = coalesce(%(schema)s, current_schema()) AND proname LIKE 'chatdb\\_%%'
ORDER BY proname
"""
_SCHEMA = """
SELECT quote_ident(nspname), coalesce(nspacl, acldefault('n', nspowner))::text[], nspowner
FROM pg_namespace WHERE nspname = coalesce(%(schema)s, current_schema())
"""
_COLUMNS = """
SELECT format('%%I.%%I', nspname, relname), quote_ident(attname), attacl::text[], relowner
FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
  JOIN pg_namespace n ON n.oid = relnamespace
WHERE nspname = coalesce(%(schema)s, current_schema()) AND relname = ANY(%(names)s)
  AND attacl IS NOT NULL AND NOT attisdropped
"""
_LATER = """
SELECT quote_ident(pg_get_userbyid(defaclrole)), quote_ident(nspname), defaclobjtype,
       defaclacl::text[], defaclrole
FROM pg_default_acl d JOIN pg_namespace n ON n.oid = defaclnamespace
WHERE nspname = coalesce(%(schema)s, current_schema())
"""
_POLICIES = """
SELECT format('%%I.%%I', schemaname, tablename), quote_ident(policyname), permissive,
       (SELECT string_agg(CASE r WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ')
        FROM unnest(roles) r),
       cmd, qual, with_check
FROM pg_policies
WHERE schemaname = coalesce(%(schema)s, current_schema()) AND tablename = ANY(%(names)s)
  AND policyname <> tablename || '_tenant'
"""
_GRANTS = """
SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
       privilege_type, is_grantable
FROM aclexplode(%s::aclitem[]) WHERE grantee <> %s
"""
_KINDS = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES"}


def carried_rights(connection: "psycopg.Connection[Any]", schema: str | None) -> list[str]:
    """Return statements that give chatdb's tables elsewhere the owners and privileges here.

    Each is a separate DO block; what this user may not do there becomes a warning. chatdb's own
    policies come with the schema; others are created if they are missing.
    """
    with connection.transaction(force_rollback=True):
        reading = _Reading(connection, schema)
        # Written with the schema's name, whatever the session's search_path is.
        connection.execute("SELECT set_config('search_path', '', true)")
        return list(reading.statements())


class _Reading:
    """Reads the owners and privileges in one database's schema."""

    def __init__(self, connection: "psycopg.Connection[Any]", schema: str | None) -> None:
        self._connection = connection
        if schema is None:
            row = connection.execute("SELECT current_schema()").fetchone()
            schema = None if row is None else row[0]
        self._names = {"schema": schema, "names": sorted(TABLE_NAMES)}

    def statements(self) -> Iterator[str]:
        for name, acl, owner in self._rows(_SCHEMA):
            grants = self._grant_lines(f"SCHEMA {name}", acl, owner)
            yield _block("pg_namespace", "nsp", "regnamespace", f"SCHEMA {name}", name, grants)
        for name, owner, acl, owner_id, is_separated, is_forced in self._rows(_TABLES):
            lines = [f"ALTER TABLE {name} OWNER TO {owner}"]
            lines += [f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"] * is_separated
            lines += [f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"] * is_forced
            lines += self._grant_lines(f"TABLE {name}", acl, owner_id)
            yield _block("pg_class", "rel", "regclass", f"TABLE {name}", name, lines)
        for name, owner, acl, owner_id in self._rows(_FUNCTIONS):
            lines = [f"ALTER FUNCTION {name} OWNER TO {owner}"]
            lines += self._grant_lines(f"FUNCTION {name}", acl, owner_id)
            yield _block("pg_proc", "pro", "regprocedure", f"FUNCTION {name}", name, lines)
        yield from self._columns()
        yield from self._policies()
        for role, schema, kind, acl, role_id in self._rows(_LATER):
            if kind in _KINDS:
                start = f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {schema} "
                grants = self._grant_lines(_KINDS[kind], acl, role_id)
                yield _allowed([start + grant for grant in grants])

    def _columns(self) -> Iterator[str]:
        lines: defaultdict[str, list[str]] = defaultdict(list)
        for table, column, acl, owner in self._rows(_COLUMNS):
            for role, privilege, may_grant in self._grants(acl, owner):
                option = " WITH GRANT OPTION" if may_grant else ""
                lines[table].append(
                    f"GRANT {privilege} ({column}) ON TABLE {table} TO {role}{option}"
                )
        for table, grants in lines.items():
            yield _if_there(f"to_regclass({_literal(table)})", _allowed_lines(grants))

    def _policies(self) -> Iterator[str]:
        for table, name, permissive, roles, command, condition, check in self._rows(_POLICIES):
            words = [f"CREATE POLICY {name} ON {table} AS {permissive} FOR {command} TO {roles}"]
            words += [f"USING ({condition})"] if condition is not None else []
            words += [f"WITH CHECK ({check})"] if check is not None else []
            missing = (
                f"(SELECT to_regclass({_literal(table)}) WHERE NOT EXISTS (SELECT FROM pg_policy"
                f" WHERE polrelid = to_regclass({_literal(table)})"
                f" AND quote_ident(polname) = {_literal(name)}))"
            )
            yield _if_there(missing, _allowed_lines([" ".join(words)]))

    def _grant_lines(self, what: str, acl: Sequence[str], owner: int) -> list[str]:
        return [
            f"GRANT {privilege} ON {what} TO {role}{' WITH GRANT OPTION' if may_grant else ''}"
            for role, privilege, may_grant in self._grants(acl, owner)
        ]

    def _grants(self, acl: Sequence[str], owner: int) -> list[tuple[str, str, bool]]:
        return self._connection.execute(_GRANTS, (list(acl), owner)).fetchall()

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query.encode(), self._names).fetchall()


def _block(
    catalogue: str, prefix: str, kind: str, what: str, name: str, lines: Iterable[str]
) -> str:
    """Return a block that revokes every privilege on one object and grants the right ones."""
    columns = (
        f" UNION ALL SELECT a.* FROM pg_attribute t, aclexplode(t.attacl) a"
        f" WHERE t.attrelid = {_literal(name)}::{kind}"
    )
    revoking = (
        "FOR somebody IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC'"
        " ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
        f" FROM {catalogue} c, LATERAL (SELECT a.* FROM aclexplode(coalesce(c.{prefix}acl,"
        f" acldefault('{_DEFAULTS[catalogue]}', c.{prefix}owner))) a"
        f"{columns if catalogue == 'pg_class' else ''}) a"
        f" WHERE c.oid = {_literal(name)}::{kind} AND a.grantee <> c.{prefix}owner LOOP"
        f" EXECUTE {_literal(f'REVOKE ALL ON {what} FROM ')} || somebody; END LOOP;"
    )
    body = _guarded(revoking, f"the privileges on {name}") + _allowed_lines(lines)
    return _if_there(f"to_{kind}({_literal(name)})", body)


_DEFAULTS = {"pg_class": "r", "pg_proc": "f", "pg_namespace": "n"}


def _if_there(condition: str, body: str) -> str:
    return (
        "DO $chatdb$ DECLARE somebody text; BEGIN"
        f" IF {condition} IS NOT NULL THEN {body} END IF; END $chatdb$"
    )


def _allowed(lines: Iterable[str]) -> str:
    return _if_there("true", _allowed_lines(lines))


def _allowed_lines(lines: Iterable[str]) -> str:
    """Return statements in blocks that may fail for lack of a privilege or a role."""
    return " ".join(_guarded(f"EXECUTE {_literal(line)};", line) for line in lines)


def _guarded(statement: str, what: str) -> str:
    return (
        f"BEGIN {statement} EXCEPTION"
        # Each in a block of its own: one refused privilege must not undo the others.
        " WHEN insufficient_privilege OR undefined_object OR undefined_column"
        " OR undefined_function OR undefined_table THEN"
        f" RAISE WARNING 'not carried over: %', {_literal(what)}; END;"
    )


def _literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{escaped}'"
