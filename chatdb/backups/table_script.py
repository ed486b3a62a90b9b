"""The part of a dump that is run to read its tables: types, tables and rows, nothing that acts.

Indexes, constraints, triggers, views, policies, owners and privileges are left out: reading does
not need them, and they are why a dump may need a database of its own kind. Functions stay, because
defaults and generated columns call them; a function that cannot be created here is reported and
left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from chatdb.backups.sql_text import Segment, segments
from chatdb.backups.tried_sql import tried
from chatdb.errors import RefusedError

LEFT_OUT = "chatdb left out "
"""The start of a server warning that names an object that could not be created."""

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
_TABLE = re.compile(rb"\s*CREATE\s+[^(;]*\bTABLE\b", re.IGNORECASE)
_ROWS = re.compile(rb"\s*(?:COPY|INSERT)\b", re.IGNORECASE)
_CHANGES = re.compile(rb"\s*(?:MERGE|TRUNCATE|WITH|DO|CALL|EXECUTE|PREPARE)\b", re.IGNORECASE)
"""Statements that may change rows; pg_dump never writes them."""

_STAND_INS = {
    "uuid-ossp": ("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"),
    "pgcrypto": ("gen_random_uuid",),
}
"""Extension functions used as column defaults, for servers without the extension."""

WITH_TYPES: Mapping[str, tuple[str, ...]] = {
    "vector": ("vector", "halfvec", "sparsevec"),
    "citext": ("citext",),
    "hstore": ("hstore",),
    "ltree": ("ltree", "lquery", "ltxtquery"),
    "postgis": ("geometry", "geography", "box2d", "box3d"),
    "cube": ("cube",),
    "seg": ("seg",),
    "isn": ("ean13", "isbn13", "ismn13", "issn13", "isbn", "ismn", "issn", "upc"),
}
"""Extensions with column types: a dump that uses them cannot be read without them."""

_BY_NAME = {
    name: extension
    for table in (WITH_TYPES, {"uuid-ossp": _STAND_INS["uuid-ossp"]})
    for extension, names in table.items()
    for name in names
}
_NAMED = re.compile(rb"(" + _IDENTIFIER + rb")\.(" + "|".join(_BY_NAME).encode() + rb")\b")
_MADE = re.compile(rb"\s*CREATE\s+(?:TYPE|DOMAIN|FUNCTION)\s+(?:" + _IDENTIFIER + rb"\.)?(\w+)")


@dataclass(frozen=True, slots=True)
class ScriptStart:
    """What a script says before its first row: extensions with their schemas, its encoding.

    A dump of one schema does not create extensions, so they are found by the tables using them.
    """

    extensions: Mapping[str, str]
    encoding: str | None


def look_at_start(stream: IO[bytes]) -> ScriptStart:
    """Read a script up to its first row."""
    extensions: dict[str, str] = {}
    used: dict[str, str] = {}
    own, encoding = set(), None
    for segment in segments(stream):
        bare = segment.bare
        if segment.kind != "statement":
            continue
        if _ROWS.match(bare):
            break
        if match := _EXTENSION.match(bare):
            extensions[_unquoted(match[1])] = _unquoted(match[2] or b"public")
        elif match := _MADE.match(bare):
            own.add(match[1].decode(errors="replace"))
        elif _TABLE.match(bare):
            for schema, name in _NAMED.findall(bare.partition(b"(")[2]):
                used[name.decode()] = _unquoted(schema)
        elif match := _ENCODING.search(segment.data):
            encoding = match[1].decode(errors="replace").upper()
    needed = {_BY_NAME[name]: schema for name, schema in used.items() if name not in own}
    return ScriptStart({**needed, **extensions}, encoding)


def table_script(stream: IO[bytes], *, missing: Mapping[str, str]) -> Iterator[bytes]:
    """Yield the part of a script to run; `missing` are extensions that cannot be installed.

    Substitutes for their functions are created before the first table, in the extension's schema.
    Raises RefusedError for a script that pg_dump did not write.
    """
    takes_data = has_tables = False
    for segment in segments(stream):
        if segment.kind == "data" and takes_data:
            yield segment.data
        elif segment.kind == "statement" and not segment.bare.strip():
            yield segment.data  # The line end before the data.
        elif segment.kind == "statement":
            takes_data = _COPY_IN.match(segment.bare) is not None
            if not has_tables and _TABLE.match(segment.bare):
                has_tables = True
                yield from _stand_ins(missing)
            yield from _run(segment)


def _run(segment: Segment) -> Iterator[bytes]:
    bare = segment.bare
    if _COPY_IN.match(bare) or _SET.match(bare) or _RUN.match(bare):
        yield segment.data
    elif match := _TRIED.match(bare):
        what = f"{match[1].decode().lower()} {match[2].decode(errors='replace')}"
        yield tried(segment.data, LEFT_OUT + what)
    elif match := _SCHEMA.match(bare):
        # `public` is there already, and so may be the schema of an extension.
        yield b"\nCREATE SCHEMA IF NOT EXISTS " + match[1] + b";"
    # Skipping one would give other rows than the script does: better none.
    elif _CHANGES.match(bare) or _COPY.match(bare):
        raise _no_dump(segment)


def _stand_ins(missing: Mapping[str, str]) -> Iterator[bytes]:
    for extension, schema in missing.items():
        place = '"' + schema.replace('"', '""') + '"'
        for name in _STAND_INS.get(extension, ()):
            yield f"\nCREATE SCHEMA IF NOT EXISTS {place};".encode()
            made = f"CREATE FUNCTION {place}.{name}() RETURNS pg_catalog.uuid LANGUAGE sql"
            made += " AS 'SELECT pg_catalog.gen_random_uuid()';"
            yield tried(made.encode(), f"{LEFT_OUT}function {name}")


def _no_dump(segment: Segment) -> RefusedError:
    before = len(segment.data) - len(segment.data.lstrip())
    line = segment.line + segment.data[:before].count(b"\n")
    words = " ".join(segment.bare.decode(errors="replace").split()[:3])
    return RefusedError(
        f"line {line}: {words} ... is a statement that pg_dump does not write",
        hint="load the script into a database with psql, and import from there",
    )


def _unquoted(identifier: bytes) -> str:
    text = identifier.decode(errors="replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()
