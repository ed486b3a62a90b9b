"""Properties of a PostgreSQL database: owner, privileges, comment, settings, locale.

A dump of the database contains none of them: a database that replaces another gets them from that
one.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    from psycopg.sql import Composable, Composed

_LISTS = frozenset(
    (
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "temp_tablespaces",
    )
)
"""Settings whose value is a list of quoted names: one text would change their meaning."""

_DATABASE = """
SELECT pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
       CASE WHEN d.dattablespace <> t.dattablespace THEN s.spcname END,
       d.datconnlimit, d.datacl IS NOT NULL, coalesce(shobj_description(d.oid, 'pg_database'), ''),
       to_jsonb(d) ->> 'datlocprovider',
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
       to_jsonb(d) ->> 'daticurules'
FROM pg_database d JOIN pg_tablespace s ON s.oid = d.dattablespace
  LEFT JOIN pg_database t ON t.datname = 'template0'
WHERE d.datname = %s
"""
_GRANTS = """
SELECT CASE grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(grantee) END, privilege_type,
       is_grantable
FROM pg_database, aclexplode(datacl) WHERE datname = %s
"""
_SETTINGS = """
SELECT CASE setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(setrole) END, setting
FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) AS setting
WHERE datname = %s
"""
_PROVIDERS = {"i": "icu", "b": "builtin", "c": "libc"}


@dataclass(frozen=True, slots=True)
class Grant:
    """A privilege on a database; the role None is PUBLIC."""

    role: str | None
    privilege: str
    with_grant: bool


@dataclass(frozen=True, slots=True)
class RoleSetting:
    """A setting that sessions in the database start with; the role None means all of them."""

    role: str | None
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseProperties:
    """All that `ALTER`, `GRANT` and `COMMENT ON DATABASE` set; `grants` None are the default.

    `tablespace` None is the default of every new database: naming it needs a privilege of its own.
    """

    owner: str
    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str | None
    icu_rules: str | None
    tablespace: str | None
    connection_limit: int
    comment: str
    grants: tuple[Grant, ...] | None
    settings: tuple[RoleSetting, ...]


def read_properties(connection: "psycopg.Connection[Any]", name: str) -> DatabaseProperties | None:
    """Return a database's properties; None when there is no such database."""
    row = connection.execute(_DATABASE, (name,)).fetchone()
    if row is None:
        return None
    grants = connection.execute(_GRANTS, (name,)).fetchall() if row[6] else None
    settings = [
        RoleSetting(role, *text.split("=", 1))
        for role, text in connection.execute(_SETTINGS, (name,))
    ]
    return DatabaseProperties(
        owner=row[0],
        encoding=row[1],
        collate=row[2],
        ctype=row[3],
        tablespace=row[4],
        connection_limit=row[5],
        comment=row[7],
        provider=_PROVIDERS.get(row[8] or "c", "libc"),
        locale=row[9],
        icu_rules=row[10],
        grants=None if grants is None else tuple(Grant(*grant) for grant in grants),
        settings=tuple(settings),
    )


def create_like(
    connection: "psycopg.Connection[Any]", name: str, like: DatabaseProperties | None
) -> None:
    """Create an empty database with another's owner, locale and privileges (None: default)."""
    from psycopg import sql

    # template1 may hold objects of the site, and fixes encoding and locale.
    options: list[Composable] = [sql.SQL("TEMPLATE template0")]
    if like is None:
        options.append(sql.SQL("ENCODING 'UTF8'"))
    else:
        options += _options(like)
    statement = sql.SQL("CREATE DATABASE {} WITH {}")
    connection.execute(statement.format(sql.Identifier(name), sql.SQL(" ").join(options)))
    if like is not None:
        with connection.transaction():
            for each in _grants(name, like):
                connection.execute(each)


def apply_settings(
    connection: "psycopg.Connection[Any]", name: str, like: DatabaseProperties
) -> list[RoleSetting]:
    """Give a database the settings, limit and comment of another.

    Returns the settings that this user may not set.
    """
    from psycopg import errors, sql

    database = sql.Identifier(name)
    refused = []
    for setting in like.settings:
        try:
            with connection.transaction():
                _set(connection, database, setting)
        except (errors.InsufficientPrivilege, errors.UndefinedObject):
            refused.append(setting)
    limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    connection.execute(limit.format(database, sql.Literal(like.connection_limit)))
    comment = sql.SQL("COMMENT ON DATABASE {} IS {}")
    connection.execute(comment.format(database, sql.Literal(like.comment or None)))
    return refused


def _options(like: DatabaseProperties) -> "Iterator[Composable]":
    from psycopg import sql

    named: list[tuple[LiteralString, str | None]] = [
        ("ENCODING {}", like.encoding),
        ("LC_COLLATE {}", like.collate),
        ("LC_CTYPE {}", like.ctype),
        ("LOCALE_PROVIDER {}", like.provider),
        ("ICU_LOCALE {}", like.locale if like.provider == "icu" else None),
        ("ICU_RULES {}", like.icu_rules),
        ("BUILTIN_LOCALE {}", like.locale if like.provider == "builtin" else None),
    ]
    yield sql.SQL("OWNER {}").format(sql.Identifier(like.owner))
    for text, value in named:
        if value is not None:
            yield sql.SQL(text).format(sql.Literal(value))
    if like.tablespace is not None:
        yield sql.SQL("TABLESPACE {}").format(sql.Identifier(like.tablespace))


def _grants(name: str, like: DatabaseProperties) -> "Iterator[Composed]":
    from psycopg import sql

    if like.grants is None:
        return
    database, owner = sql.Identifier(name), sql.Identifier(like.owner)
    # A new database lets everybody connect; the old one may not have.
    yield sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(database, owner)
    for grant in like.grants:
        yield sql.SQL("GRANT {} ON DATABASE {} TO {}{}").format(
            sql.SQL(_privilege(grant.privilege)),
            database,
            sql.SQL("PUBLIC") if grant.role is None else sql.Identifier(grant.role),
            sql.SQL(" WITH GRANT OPTION" if grant.with_grant else ""),
        )


def _privilege(text: str) -> LiteralString:
    known: Sequence[LiteralString] = ("CREATE", "TEMPORARY", "CONNECT")
    # Words of the catalogue, written without quotes: only known ones go into a statement.
    return next(privilege for privilege in known if privilege == text)


def _set(
    connection: "psycopg.Connection[Any]", database: "Composable", setting: RoleSetting
) -> None:
    """Set it as it was; a list of names goes through this session, which knows how to write it."""
    from psycopg import sql

    place = sql.SQL("DATABASE {}").format(database)
    if setting.role is not None:
        place = sql.SQL("ROLE {} IN {}").format(sql.Identifier(setting.role), place)
    parts = (place, sql.SQL(".").join(map(sql.Identifier, setting.name.split("."))))
    if setting.name.lower() in _LISTS:
        connection.execute("SELECT set_config(%s, %s, true)", (setting.name, setting.value))
        connection.execute(sql.SQL("ALTER {} SET {} FROM CURRENT").format(*parts))
    else:
        value = sql.Literal(setting.value)
        connection.execute(sql.SQL("ALTER {} SET {} TO {}").format(*parts, value))
