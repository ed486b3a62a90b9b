"""What of a dump is run to read its tables: types, tables and rows, and nothing that acts.

Indexes, constraints, triggers, views, policies, owners and rights are left out: nobody reads by
them, and they are what a database of its own kind is needed for. Functions stay, since defaults
and generated columns call them; one that cannot be made here is told and left out.
"""

import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from chatdb.backups.sql_text import Segment, segments
from chatdb.errors import RefusedError

LEFT_OUT = "chatdb left out "
"""How a warning of the server begins that names what could not be made."""

_IDENTIFIER = rb'(?:"(?:[^"]|"")+"|[\w$\x80-\xff]+)'
_SETTINGS = (
    *("client_encoding", "standard_conforming_strings", "check_function_bodies", "xmloption"),
    *("client_min_messages", "search_path", "datestyle", "intervalstyle", "timezone"),
    "escape_string_warning",
)
_SET = re.compile(
    rb"\s*SET\s+(?:SESSION\s+)?(?:" + "|".join(_SETTINGS).encode() + rb")\s*(?:=|\bTO\b)",
    re.IGNORECASE,
)
_RUN = re.compile(
    rb"\s*(?:SELECT\s+(?:pg_catalog\s*\.\s*)?set_config\s*\("
    rb"|CREATE\s+(?:DOMAIN|(?:(?:UNLOGGED|GLOBAL|LOCAL)\s+)*TABLE)\b"
    rb"|ALTER\s+TABLE\s+(?:ONLY\s+)?\S+\s+(?:ATTACH\s+PARTITION|ADD\s+COLUMN|INHERIT)\b"
    rb"|ALTER\s+TYPE\s+\S+\s+ADD\b|(?:INSERT|UPDATE|DELETE)\b)",
    re.IGNORECASE,
)
_COPY = re.compile(rb"\s*COPY\b", re.IGNORECASE)
_COPY_IN = re.compile(rb"\s*COPY\b.*?\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)
_TRIED = re.compile(
    rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?"
    rb"(TYPE|COLLATION|SEQUENCE|FUNCTION|PROCEDURE|AGGREGATE|OPERATOR|CAST)\s+([^\s(]+)",
    re.IGNORECASE,
)
_SCHEMA = re.compile(
    rb"\s*CREATE\s+SCHEMA\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + _IDENTIFIER + rb")", re.IGNORECASE
)
_EXTENSION = re.compile(
    rb"\s*CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?(" + _IDENTIFIER + rb")"
    rb"(?:\s+(?:WITH\s+)?SCHEMA\s+(" + _IDENTIFIER + rb"))?",
    re.IGNORECASE,
)
_ENCODING = re.compile(
    rb"^SET\s+client_encoding\s*(?:=|TO)\s*'([^']+)'", re.IGNORECASE | re.MULTILINE
)
_TABLE = re.compile(rb"\s*(?:CREATE\s+[^(;]*\bTABLE|COPY|INSERT)\b", re.IGNORECASE)
_CHANGES = re.compile(rb"\s*(?:MERGE|TRUNCATE|WITH|DO|CALL|EXECUTE|PREPARE)\b", re.IGNORECASE)
"""Statements that may change rows, which no pg_dump writes: without them others would be read."""

_STAND_INS = {
    "uuid-ossp": ("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"),
    "pgcrypto": ("gen_random_uuid",),
}
"""Functions of extensions that are defaults of columns, where the extension is not to be had."""


@dataclass(frozen=True, slots=True)
class ScriptStart:
    """What a script says before its first table: extensions with their schemas, its encoding."""

    extensions: Mapping[str, str]
    encoding: str | None


def look_at_start(stream: IO[bytes]) -> ScriptStart:
    """Read a script as far as its first table."""
    extensions, encoding = {}, None
    for segment in segments(stream):
        if segment.kind != "statement":
            continue
        if _TABLE.match(segment.bare):
            break
        if match := _EXTENSION.match(segment.bare):
            extensions[_unquoted(match[1])] = _unquoted(match[2] or b"public")
        elif match := _ENCODING.search(segment.data):
            encoding = match[1].decode(errors="replace").upper()
    return ScriptStart(extensions, encoding)


def table_script(stream: IO[bytes], *, made: Collection[str]) -> Iterator[bytes]:
    """Yield what of a script is run; the extensions in `made` are there already.

    Raises RefusedError for a script that is none of pg_dump's.
    """
    takes_data = False
    for segment in segments(stream):
        if segment.kind == "data" and takes_data:
            yield segment.data
        elif segment.kind == "statement" and not segment.bare.strip():
            yield segment.data  # the end of a line before data
        elif segment.kind == "statement":
            takes_data = _COPY_IN.match(segment.bare) is not None
            yield from _run(segment, made)


def _run(segment: Segment, made: Collection[str]) -> Iterator[bytes]:
    bare = segment.bare
    if _COPY_IN.match(bare) or _SET.match(bare) or _RUN.match(bare):
        yield segment.data
    elif match := _TRIED.match(bare):
        yield _tried(
            segment.data, f"{match[1].decode().lower()} {match[2].decode(errors='replace')}"
        )
    elif match := _SCHEMA.match(bare):
        yield b"\nCREATE SCHEMA IF NOT EXISTS " + match[1] + b";"
    elif match := _EXTENSION.match(bare):
        if (name := _unquoted(match[1])) not in made:
            yield from _stand_ins(name, match[2] or b"public")
    elif _CHANGES.match(bare) or _COPY.match(bare):
        raise _no_dump(segment)


def _tried(statement: bytes, what: str) -> bytes:
    """Wrap a statement so that its failure is a warning."""
    tag = secrets.token_hex(8)
    shown = what.replace("'", "''").replace("%", "%%")
    return (
        f"\nDO $o{tag}$ BEGIN EXECUTE $i{tag}$".encode()
        + statement
        + f"$i{tag}$; EXCEPTION WHEN OTHERS THEN"
        f" RAISE WARNING '{LEFT_OUT}{shown}: %', SQLERRM; END $o{tag}$;".encode()
    )


def _stand_ins(extension: str, schema: bytes) -> Iterator[bytes]:
    for name in _STAND_INS.get(extension, ()):
        yield (
            b"\nCREATE FUNCTION " + schema + b"." + name.encode() + b"() RETURNS pg_catalog.uuid"
            b" LANGUAGE sql AS 'SELECT pg_catalog.gen_random_uuid()';"
        )


def _no_dump(segment: Segment) -> RefusedError:
    before = len(segment.data) - len(segment.data.lstrip())
    line = segment.line + segment.data[:before].count(b"\n")
    words = " ".join(segment.bare.decode(errors="replace").split()[:3])
    return RefusedError(
        f"line {line}: {words} ... is a statement that pg_dump does not write",
        hint="bring the script into a database by psql, and import from there",
    )


def _unquoted(identifier: bytes) -> str:
    text = identifier.decode(errors="replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()
