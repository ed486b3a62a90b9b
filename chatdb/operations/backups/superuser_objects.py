"""Objects of a database that its owner may be unable to create again."""

import sqlalchemy as sa

_FIRST_OF_USERS = 16_384
"""From this oid on, objects are not PostgreSQL's own."""

_OBJECTS = f"""
SELECT 'extension ' || extname FROM pg_extension WHERE extname IN (
  SELECT name FROM pg_available_extension_versions GROUP BY name
  HAVING bool_and(superuser AND NOT trusted))
UNION ALL
SELECT 'publication ' || pubname FROM pg_publication p
WHERE puballtables OR EXISTS (SELECT FROM pg_publication_namespace WHERE pnpubid = p.oid)
UNION ALL
SELECT 'event trigger ' || evtname FROM pg_event_trigger e
WHERE NOT EXISTS (SELECT FROM pg_depend WHERE objid = e.oid AND deptype = 'e')
UNION ALL
SELECT 'subscription ' || subname FROM pg_subscription
WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL
SELECT 'foreign data wrapper ' || fdwname FROM pg_foreign_data_wrapper f
WHERE NOT EXISTS (SELECT FROM pg_depend WHERE objid = f.oid AND deptype = 'e')
UNION ALL
SELECT 'operator class ' || nspname || '.' || opcname
FROM pg_opclass o JOIN pg_namespace n ON n.oid = opcnamespace
WHERE o.oid >= {_FIRST_OF_USERS}
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = o.oid AND deptype = 'e')
UNION ALL
SELECT 'function ' || nspname || '.' || proname
       || '(' || pg_get_function_identity_arguments(p.oid) || ')'
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace JOIN pg_language l ON l.oid = prolang
WHERE p.oid >= {_FIRST_OF_USERS} AND NOT lanpltrusted AND lanname <> 'sql'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
ORDER BY 1
"""


_USERS = """
SELECT e.extname, coalesce(array_agg(DISTINCT format('%s.%s', n.nspname, c.relname))
                             FILTER (WHERE c.oid IS NOT NULL), '{}')
FROM pg_extension e
LEFT JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid
                     AND m.deptype = 'e'
LEFT JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
LEFT JOIN pg_depend d ON d.deptype IN ('n', 'a')
  AND ((d.refclassid = m.classid AND d.refobjid = m.objid)
       OR (d.refclassid = 'pg_type'::regclass AND d.refobjid = t.typarray))
LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
LEFT JOIN pg_class c ON c.relkind IN ('r', 'p')
  AND c.oid = CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid ELSE a.adrelid END
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE e.extname <> 'plpgsql'
GROUP BY e.extname ORDER BY e.extname
"""


def extension_tables(connection: sa.Connection) -> dict[str, tuple[str, ...]]:
    """Return the extensions, each with the tables that use its types or call it in a default."""
    return {name: tuple(tables) for name, tables in connection.exec_driver_sql(_USERS)}


def superuser_objects(connection: sa.Connection) -> tuple[str, ...]:
    """Return the objects as kind and name, such as `extension pg_stat_statements`."""
    return tuple(str(name) for (name,) in connection.exec_driver_sql(_OBJECTS))
