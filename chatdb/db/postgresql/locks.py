"""Which table lock a statement of a migration takes on PostgreSQL.

Source: the manual's chapter 13.3 and each command's page; a test compares with `pg_locks`.
"""

import re

from chatdb.db.contract.migration import LockFacts, StatementLock

NONE = "none"
_NAME = r"(?:\"?\w+\"?\.)?\"?(\w+)\"?"
_IF = r"(?:IF (?:NOT )?EXISTS )?"

_RULES: tuple[tuple[str, str], ...] = (
    (rf"CREATE (?:UNIQUE )?INDEX CONCURRENTLY .*?\bON (?:ONLY )?{_NAME}", "SHARE UPDATE EXCLUSIVE"),
    (rf"CREATE (?:UNIQUE )?INDEX .*?\bON (?:ONLY )?{_NAME}", "SHARE"),
    (r"DROP INDEX CONCURRENTLY", "SHARE UPDATE EXCLUSIVE"),
    (rf"DROP INDEX {_IF}{_NAME}", "ACCESS EXCLUSIVE"),
    (rf"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .*?\bON {_NAME}", "SHARE ROW EXCLUSIVE"),
    (rf"DROP TRIGGER {_IF}\w+ ON {_NAME}", "ACCESS EXCLUSIVE"),
    (
        rf"ALTER TABLE {_IF}(?:ONLY )?{_NAME} VALIDATE CONSTRAINT",
        "SHARE UPDATE EXCLUSIVE",
    ),
    (
        rf"ALTER TABLE {_IF}(?:ONLY )?{_NAME} ALTER (?:COLUMN )?\w+ SET STATISTICS",
        "SHARE UPDATE EXCLUSIVE",
    ),
    (
        rf"ALTER TABLE {_IF}(?:ONLY )?{_NAME} ADD (?:CONSTRAINT \w+ )?FOREIGN KEY",
        "SHARE ROW EXCLUSIVE",
    ),
    (rf"ALTER TABLE {_IF}(?:ONLY )?{_NAME}", "ACCESS EXCLUSIVE"),
    (rf"(?:ALTER VIEW {_IF}|CREATE OR REPLACE VIEW ){_NAME}", "ACCESS EXCLUSIVE"),
    (rf"(?:CREATE|ALTER|DROP) POLICY {_IF}\w+ ON {_NAME}", "ACCESS EXCLUSIVE"),
    (
        rf"(?:DROP (?:TABLE|VIEW|MATERIALIZED VIEW)|TRUNCATE(?: TABLE)?) {_IF}{_NAME}",
        "ACCESS EXCLUSIVE",
    ),
    (rf"(?:INSERT INTO|UPDATE(?: ONLY)?|DELETE FROM(?: ONLY)?) {_NAME}", "ROW EXCLUSIVE"),
    (r"SELECT set_config\b", NONE),
    (rf"SELECT .*?\bFROM {_NAME}", "ACCESS SHARE"),
    (r"CREATE (?:OR REPLACE )?(?:FUNCTION|SCHEMA|TYPE|EXTENSION|SEQUENCE)", NONE),
    (r"DROP (?:FUNCTION|SCHEMA|TYPE|EXTENSION|SEQUENCE)", NONE),
    (r"(?:SET|COMMENT|GRANT|REVOKE)\b", NONE),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), lock) for pattern, lock in _RULES)
_CREATE_TABLE = re.compile(rf"CREATE (?:UNLOGGED )?TABLE {_IF}{_NAME}", re.IGNORECASE)
_CREATE_VIEW = re.compile(r"CREATE (?:MATERIALIZED )?VIEW", re.IGNORECASE)
_REFERENCES = re.compile(rf"\bREFERENCES {_NAME}", re.IGNORECASE)
_FROM = re.compile(rf"\b(?:FROM|JOIN) {_NAME}", re.IGNORECASE)


def lock_of(statement: str, facts: LockFacts) -> StatementLock:
    """Return the strongest lock on tables that existed before; no other session uses a new table.

    An unknown statement counts as the strongest lock there is. Locks taken by triggers are not
    reported.
    """
    text = " ".join(re.sub(r"--[^\n]*", " ", statement).split())
    if _CREATE_TABLE.match(text):
        referred = _names(_REFERENCES, text)
        return StatementLock("SHARE ROW EXCLUSIVE" if referred else NONE, referred)
    if _CREATE_VIEW.match(text):
        return StatementLock("ACCESS SHARE", _names(_FROM, text))
    for pattern, lock in _COMPILED:
        match = pattern.match(text)
        if match is not None:
            own = tuple(name for name in match.groups() if name)
            if "FOREIGN KEY" in pattern.pattern:
                own += tuple(name for name in _names(_REFERENCES, text) if name not in own)
            return StatementLock(lock, _related(text, own, facts))
    # A plan that promises too weak a lock would be taken at its word in production.
    return StatementLock("ACCESS EXCLUSIVE", ())


def _related(text: str, own: tuple[str, ...], facts: LockFacts) -> tuple[str, ...]:
    """Dropping an index locks its table, dropping a table those it refers to."""
    verb = text[:10].upper()
    if verb == "DROP INDEX":
        return tuple(facts.table_of_index.get(name, name) for name in own)
    if verb == "DROP TABLE":
        parents = (parent for name in own for parent in facts.parents.get(name, ()))
        return tuple(dict.fromkeys((*own, *parents)))
    return own


def _names(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pattern.findall(text)))
