"""Check constraints that call functions, added after the rows: before that they may fail.

pg_dump writes a constraint with its table, and fills the tables by name: a function that reads
another table finds that one still empty. Such a check would cost the table its rows.
"""

from collections.abc import Sequence

from chatdb.backups.left_out import LeftOut

MARK = "chatdb left out a check "
"""The start of the server's warning; the object, the reason and the remedy follow as JSON."""

_SCHEMA = "chatdb_deferred"
_CALLING = """
SELECT CASE WHEN c.conrelid <> 0 THEN 'TABLE' ELSE 'DOMAIN' END AS kind,
       CASE WHEN c.conrelid <> 0 THEN c.conrelid::regclass::text
            ELSE c.contypid::regtype::text END AS owner,
       quote_ident(c.conname) AS name, pg_get_constraintdef(c.oid) AS definition,
       obj_description(c.oid, 'pg_constraint') AS comment
FROM pg_constraint c
WHERE c.contype = 'c' AND c.convalidated
  AND (c.conrelid = 0 OR (c.conislocal AND c.coninhcount = 0))
  AND EXISTS (SELECT FROM pg_depend d
              WHERE d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
                AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass))
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.deptype = 'e' AND d.objid IN (c.conrelid, c.contypid))
"""


def defer(tables: Sequence[str] | None = None, *, one_session: bool) -> str:
    """Return a statement that drops the checks and remembers them in the database.

    `tables` are names as SQL writes them, of tables and domains; None means all. In `one_session`
    with `restore` it needs no privilege to create a schema.
    """
    # With an empty search_path the server writes every name with its schema.
    only = ""
    if tables is not None:
        names = ", ".join(_literal(name) for name in tables) or "NULL"
        only = (
            f" AND (c.conrelid IN (SELECT to_regclass(n) FROM unnest(ARRAY[{names}]) n)"
            f" OR c.contypid IN (SELECT to_regtype(n) FROM unnest(ARRAY[{names}]) n))"
        )
    return f"""DO $chatdb$ DECLARE found record; path text := current_setting('search_path'); BEGIN
PERFORM set_config('search_path', '', true);
{"" if one_session else f"CREATE SCHEMA {_SCHEMA};"}
CREATE TABLE {_table(one_session)} AS {_CALLING}{only};
FOR found IN SELECT * FROM {_table(one_session)} LOOP
  EXECUTE format('ALTER %s %s DROP CONSTRAINT %s', found.kind, found.owner, found.name);
END LOOP;
PERFORM set_config('search_path', path, true);
END $chatdb$"""


def restore(*, one_session: bool) -> str:
    """Return a statement that adds the checks again; a failing one is added for new rows only.

    Each of these causes a warning that `heard` understands.
    """
    return f"""DO $chatdb$ DECLARE found record; adding text; reason text; remedy text;
  path text := current_setting('search_path'); BEGIN
IF to_regclass('{_table(one_session)}') IS NULL THEN RETURN; END IF;
PERFORM set_config('search_path', reset_val, true) FROM pg_settings WHERE name = 'search_path';
FOR found IN SELECT * FROM {_table(one_session)} LOOP
  adding := format('ALTER %s %s ADD CONSTRAINT %s %s', found.kind, found.owner, found.name,
                   found.definition);
  BEGIN
    EXECUTE adding;
  EXCEPTION WHEN OTHERS THEN
    reason := SQLERRM;
    remedy := format('ALTER %s %s VALIDATE CONSTRAINT %s', found.kind, found.owner, found.name);
    BEGIN
      EXECUTE adding || ' NOT VALID';
    EXCEPTION WHEN OTHERS THEN
      remedy := adding;
    END;
    RAISE WARNING '{MARK}%', json_build_object('object', format('check constraint %s of %s',
      found.name, found.owner), 'error', reason, 'remedy', remedy || ';');
  END;
  IF found.comment IS NOT NULL THEN
    BEGIN
      EXECUTE format('COMMENT ON CONSTRAINT %s ON %s%s IS %L', found.name,
        CASE found.kind WHEN 'DOMAIN' THEN 'DOMAIN ' ELSE '' END, found.owner, found.comment);
    EXCEPTION WHEN undefined_object THEN
      NULL;
    END;
  END IF;
END LOOP;
DROP TABLE {_table(one_session)};
{"" if one_session else f"DROP SCHEMA {_SCHEMA};"}
PERFORM set_config('search_path', path, true);
END $chatdb$"""


def heard(warning: str) -> LeftOut | None:
    """Return the check that a warning of `restore` reports; None for another warning."""
    import msgspec

    _, mark, told = warning.partition(MARK)
    return msgspec.json.decode(told, type=LeftOut) if mark else None


def _table(one_session: bool) -> str:
    return f"{'pg_temp' if one_session else _SCHEMA}.chatdb_deferred_checks"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
