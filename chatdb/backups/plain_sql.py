"""Plain SQL dumps of PostgreSQL: what one contains, what it could do, what to leave out.

psql runs anything in such a file: `\\!` starts programs on this machine, COPY FROM PROGRAM on the
server. pg_dump writes neither.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from chatdb.backups.sql_text import Segment, segments
from chatdb.backups.tolerant_script import TolerantScript

_SHOWN = 70
_IDENTIFIER = rb'(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)'
_NAME = rb"(?:" + _IDENTIFIER + rb"\.)?" + _IDENTIFIER
_VERSION = re.compile(rb"-- Dumped (from database|by pg_dump) version (\d+)(?:\.(\d+))?")
_COMPLETE = b"-- PostgreSQL database dump complete"
_COPY = re.compile(rb"\s*COPY\s+(" + _NAME + rb")", re.IGNORECASE)
_CREATE_TABLE = re.compile(
    rb"\s*CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + _NAME + rb")",
    re.IGNORECASE,
)
_CREATE_OTHER = re.compile(
    rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(MATERIALIZED\s+VIEW|VIEW|SEQUENCE|FUNCTION|PROCEDURE"
    rb"|AGGREGATE|TYPE|DOMAIN)\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + _NAME + rb")",
    re.IGNORECASE,
)
_CREATE_SCHEMA = re.compile(rb"\s*CREATE\s+SCHEMA\s+(" + _IDENTIFIER + rb")", re.IGNORECASE)
_INSERT = re.compile(rb"\s*INSERT\b", re.IGNORECASE)
_EXTENSION = re.compile(
    rb"\s*CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + _IDENTIFIER + rb")", re.IGNORECASE
)
_OWNER = re.compile(
    rb"\s*ALTER\s+[^;]*\bOWNER\s+TO\s+(" + _IDENTIFIER + rb")\s*;?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_GRANTEES = re.compile(
    rb"\s*(?:GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES)\b.*?\b(?:TO|FROM)\s+([^;]+?)"
    rb"(?:\s+WITH\s+GRANT\s+OPTION|\s+CASCADE|\s+RESTRICT)?\s*;?\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
_PUBLIC_RIGHTS = re.compile(rb"\s*(?:GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES)\b", re.IGNORECASE)
_DEFAULT_FOR = re.compile(
    rb"\s*ALTER\s+DEFAULT\s+PRIVILEGES\s+FOR\s+(?:ROLE|USER)\s+(" + _IDENTIFIER + rb")",
    re.IGNORECASE,
)
_FORGOTTEN = re.compile(
    rb"\s*(?:(?:CREATE|DROP|ALTER|COMMENT\s+ON)\s+DATABASE\b|COMMENT\s+ON\s+EXTENSION\b"
    rb"|CREATE\s+SCHEMA\s+\"?public\"?\s*;"
    rb"|(?:BEGIN|COMMIT|END|START)(?:\s+(?:TRANSACTION|WORK))?\s*;)",
    re.IGNORECASE,
)
"""Statements on the database as a whole, on existing objects, and on transactions: a restore
does its own."""

_REMOVES = re.compile(
    rb"\s*(?:DROP\s|ALTER\s+[^;]*?\sDROP\s+CONSTRAINT\b)", re.IGNORECASE | re.DOTALL
)
_CREATES = re.compile(rb"\s*(?:CREATE|COPY|INSERT)\b", re.IGNORECASE)
_SET = re.compile(rb"\s*SET\s+(\w+)\s*(?:=|\bTO\b)", re.IGNORECASE)
_SINCE = {b"transaction_timeout": 17}
"""Settings that a newer pg_dump writes and an older server does not know."""

_DANGERS = (
    (rb"\bCOPY\b.*\b(?:FROM|TO)\s+PROGRAM\b", "runs a program on the server"),
    (rb"\bALTER\s+SYSTEM\b", "changes the server's configuration"),
    (rb"\A\s*LOAD\b", "loads a library into the server"),
    (rb"\bLANGUAGE\s+'?\"?(?:C|internal)\b", "creates a function from a library of the server"),
    (rb"\bLANGUAGE\s+'?\"?\w+u\b", "creates a function in a language that may do anything"),
    (rb"\blo_(?:ex|im)port\b|\bpg_read_(?:binary_)?file\b", "reads or writes the server's files"),
    (
        rb"\bclient_encoding\b.*\b(?:SJIS|SHIFT_JIS\w*|BIG5|GBK|GB18030|UHC|JOHAB)\b",
        "is written in an encoding in which a command can hide",
    ),
    (rb"\bset_config\s*\(\s*'standard_conforming", "changes how strings are read"),
)
_DANGEROUS = [(re.compile(text, re.IGNORECASE | re.DOTALL), why) for text, why in _DANGERS]
_HINTS = re.compile(
    rb"PROGRAM|SYSTEM|LOAD|LANGUAGE|lo_|pg_read|client_encoding|set_config", re.IGNORECASE
)
"""One of these is contained in all of them."""

_ORDINARY = (b"\\\\", b"\\n", b"\\t", b"\\N", b"\\r")
_DATA_COMMAND = re.compile(rb"\\[^bfnrtvN.0-9x\r\n]")
"""Lines that COPY never writes: psql would run them if it did not treat them as data."""

_END_OF_DATA = re.compile(rb"(?:\A|\n)\\\.\r?\n\Z")
_OWN_COMMANDS = (b"\\restrict", b"\\unrestrict")
_CONNECT = (b"\\connect", b"\\c")


@dataclass(slots=True)
class PlainDump:
    """The result of scanning a plain dump.

    `rows` counts the rows of every table that is filled by COPY, by its name as written; `others`
    are the objects it creates beside tables, kind and name; `owners` those of `roles` that own
    something; `dangers` describe dangerous statements, with their lines; `databases` is how many it
    connects to.
    """

    server_major: int | None = None
    tool_version: tuple[int, int] | None = None
    roles: set[str] = field(default_factory=set)
    owners: set[str] = field(default_factory=set)
    extensions: set[str] = field(default_factory=set)
    tables: list[str] = field(default_factory=list)
    others: list[tuple[str, str]] = field(default_factory=list)
    rows: Counter[str] = field(default_factory=Counter)
    has_inserts: bool = False
    is_complete: bool = False
    dangers: list[str] = field(default_factory=list)
    databases: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Omissions:
    """What to leave out of a dump: privileges of these roles, and settings an older server lacks.

    `owners`: only their ownership and default privileges are left out. `schemas` exist already.
    `commands` leaves out psql's commands too; without it, only those that pg_dump writes.
    """

    roles: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    schemas: frozenset[str] = frozenset()
    server_major: int = 1000
    commands: bool = True


def inspect(stream: IO[bytes]) -> PlainDump:
    """Scan a dump from start to end."""
    found = PlainDump()
    table = ""
    for segment in segments(stream):
        if segment.kind == "data":
            found.rows[table] += segment.data.count(b"\n")
            found.rows[table] -= _END_OF_DATA.search(segment.data[-5:]) is not None
            _look_for_commands(found, segment)
        elif segment.kind == "command":
            _look_at_command(found, segment)
        else:
            copy = _COPY.match(segment.bare)
            if copy is not None:
                table = copy[1].decode(errors="replace")
            _look_at_statement(found, segment)
    return found


def for_psql(
    stream: IO[bytes], omissions: Omissions, tolerant: TolerantScript | None = None
) -> Iterator[bytes]:
    """Yield a dump for psql, without psql's own commands and without what is left out.

    If `tolerant`, statements that may fail are allowed to.
    """
    # `pg_dump --clean` drops first; in a new database each DROP would be an error.
    fresh = True
    for segment in segments(stream):
        if segment.kind == "command":
            word = segment.data.split(None, 1)[0]
            if omissions.commands or word in (*_OWN_COMMANDS, *_CONNECT):
                continue
        elif segment.kind == "statement":
            if fresh and _CREATES.match(segment.bare) and not _FORGOTTEN.match(segment.bare):
                fresh = False
            if _is_left_out(segment, omissions, fresh=fresh):
                continue
        yield segment.data if tolerant is None else tolerant.take(segment)


def rights(stream: IO[bytes], omissions: Omissions) -> Iterator[bytes]:
    """Yield the statements of a dump that set owners and privileges."""
    for segment in segments(stream):
        if segment.kind == "statement" and (roles := _roles(segment.bare)):
            if not _is_of_an_omitted_role(segment.bare, roles, omissions):
                yield segment.data
        elif segment.kind == "statement" and _PUBLIC_RIGHTS.match(segment.bare):
            yield segment.data


def _is_left_out(segment: Segment, omissions: Omissions, *, fresh: bool) -> bool:
    """Tell whether to leave a statement out; a `fresh` database has nothing to drop yet."""
    bare = segment.bare
    if _FORGOTTEN.match(bare + b";") or (fresh and _REMOVES.match(bare)):
        return True
    schema = _CREATE_SCHEMA.match(bare)
    if schema is not None:
        return _unquoted(schema[1]) in omissions.schemas
    setting = _SET.match(bare)
    if setting is not None:
        return _SINCE.get(setting[1].lower(), 0) > omissions.server_major
    return _is_of_an_omitted_role(bare, _roles(bare), omissions)


def _is_of_an_omitted_role(bare: bytes, roles: set[str], omissions: Omissions) -> bool:
    return not (
        omissions.roles.isdisjoint(roles) and omissions.owners.isdisjoint(_acting_roles(bare))
    )


def _look_at_statement(found: PlainDump, segment: Segment) -> None:
    bare = segment.bare
    if b"-- " in segment.data:
        _look_at_remarks(found, segment.data)
    if match := _CREATE_TABLE.match(bare):
        found.tables.append(match[1].decode(errors="replace"))
    elif match := _CREATE_OTHER.match(bare):
        kind = " ".join(match[1].decode().upper().split())
        found.others.append((kind, match[2].decode(errors="replace")))
    elif match := _EXTENSION.match(bare):
        found.extensions.add(_unquoted(match[1]))
    is_insert = _INSERT.match(bare) is not None
    found.has_inserts = found.has_inserts or is_insert
    found.roles |= _roles(bare)
    found.owners |= _acting_roles(bare)
    # Text in strings is chat text in an INSERT, but could be run in any other statement.
    text = bare if is_insert else bare + b"\n" + segment.bodies + b"\n" + _strings_of(segment)
    # One search for a word instead of eight patterns: a dump has millions of statements.
    if not _HINTS.search(text):
        return
    for pattern, why in _DANGEROUS:
        if pattern.search(text):
            found.dangers.append(_place(segment, why))


def _look_at_remarks(found: PlainDump, data: bytes) -> None:
    for which, major, minor in _VERSION.findall(data):
        if which == b"by pg_dump":
            found.tool_version = found.tool_version or (int(major), int(minor or 0))
        else:
            found.server_major = found.server_major or int(major)
    found.is_complete = found.is_complete or _COMPLETE in data


def _strings_of(segment: Segment) -> bytes:
    """Return a statement with its strings; comments are removed, as they may separate two words."""
    text = re.sub(rb"/\*.*?\*/", b" ", segment.data, flags=re.DOTALL)
    return re.sub(rb"--[^\n]*", b" ", text)


def _look_at_command(found: PlainDump, segment: Segment) -> None:
    word = segment.data.split(None, 1)[0]
    if word in _OWN_COMMANDS:
        return
    if word in _CONNECT:
        found.databases += 1
        return
    found.dangers.append(_place(segment, "is a psql command"))


def _look_for_commands(found: PlainDump, segment: Segment) -> None:
    rest = segment.data
    # The escapes that COPY writes are by far the most: removing them is a pass of C each.
    for each in _ORDINARY:
        rest = rest.replace(each, b"")
    match = _DATA_COMMAND.search(rest)
    if match is not None:
        found.dangers.append(
            f"line {segment.line} and after: the data contains {_shown(match[0])}, which no dump "
            "contains"
        )


def _acting_roles(bare: bytes) -> set[str]:
    """Return the roles that a statement makes an owner or acts for: only a member may."""
    match = _OWNER.match(bare) or _DEFAULT_FOR.match(bare)
    return set() if match is None else {_unquoted(match[1])}


def _roles(bare: bytes) -> set[str]:
    if match := _OWNER.match(bare):
        return {_unquoted(match[1])}
    if match := _GRANTEES.match(bare):
        found = {_unquoted(each.strip()) for each in match[1].split(b",")}
        if default := _DEFAULT_FOR.match(bare):
            found.add(_unquoted(default[1]))
        return found - {"public", "PUBLIC"}
    return set()


def _unquoted(identifier: bytes) -> str:
    text = identifier.decode(errors="replace")
    if text.startswith('"'):
        return text[1:-1].replace('""', '"')
    return text.lower()


def _place(segment: Segment, why: str) -> str:
    before = len(segment.data) - len(segment.data.lstrip())
    line = segment.line + segment.data[:before].count(b"\n")
    return f"line {line}: {_shown(segment.data.strip())} {why}"


def _shown(data: bytes) -> str:
    text = " ".join(data[: _SHOWN * 4].decode(errors="replace").split())
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
