"""Expressions with the same result on both databases, each written in its own way."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from chatdb.primitives import canonical
from chatdb.records import CALL_INPUTS, CODE_INPUTS

TITLE_LENGTH = 200
"""Characters of a title that decide its place in a list."""


_NO_LANGUAGE = ("", "json", "unknown")
"""What a call names where it names no language."""
_LARGEST_INTEGER = 2**63 - 1
"""SQLite's largest integer; a larger number is a float there."""


class title_key(FunctionElement[str]):  # noqa: N801 - it stands for a function
    """What titles are sorted by: ASCII letters regardless of case, missing titles last."""

    type = sa.Text()
    inherit_cache = True


@compiles(title_key, "postgresql")
def _title_key_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    title = compiler.process(element.clauses, **options)
    lowered = f"lower(coalesce({title}, U&'\\+10FFFF') COLLATE \"C\")"
    return f"left({lowered}, {TITLE_LENGTH})"


@compiles(title_key)
def _title_key(element: Any, compiler: Any, **options: Any) -> str:
    title = compiler.process(element.clauses, **options)
    return f"substr(lower(coalesce({title}, char(1114111))), 1, {TITLE_LENGTH})"


class id_ends_with(FunctionElement[bool]):  # noqa: N801 - it stands for a function
    """Whether a UUID ends with some hexadecimal digits, fewer than all."""

    type = sa.Boolean()
    inherit_cache = False

    def __init__(self, column: Any, digits: str) -> None:
        super().__init__()
        self.column = column
        self.digits = digits


@compiles(id_ends_with, "postgresql")
def _id_ends_with_postgresql(element: id_ends_with, compiler: Any, **options: Any) -> str:
    """Compare bytes, which takes half as long as comparing texts."""
    digits, column = element.digits, compiler.process(element.column, **options)
    whole = digits[len(digits) % 2 :]
    condition = f"substring(uuid_send({column}) from {17 - len(whole) // 2}) = '\\x{whole}'::bytea"
    if len(whole) < len(digits):
        condition += f" AND {column}::text LIKE '%%{hyphenated_end(digits)}'"
    return condition


@compiles(id_ends_with)
def _id_ends_with(element: id_ends_with, compiler: Any, **options: Any) -> str:
    end = hyphenated_end(element.digits)
    column = compiler.process(element.column, **options)
    return f"substr({column}, {-len(end)}) = {compiler.process(sa.literal(end), **options)}"


def hyphenated_end(digits: str) -> str:
    """Return the last digits of a UUID with its hyphens."""
    whole = str(UUID(digits.rjust(32, "0")))
    wanted, end = len(digits), ""
    for character in reversed(whole):
        if not wanted:
            break
        end = character + end
        wanted -= character != "-"
    return end


class metadata_has(FunctionElement[bool]):  # noqa: N801 - it stands for a function
    """Whether nested JSON objects lead to a value, or to a list that contains it.

    `values` are texts, numbers, booleans or None: any of them matches.
    """

    type = sa.Boolean()
    inherit_cache = False

    def __init__(self, column: Any, path: Sequence[str], values: Sequence[Any]) -> None:
        super().__init__()
        self.column = column
        self.path = tuple(path)
        self.values = tuple(values)


@compiles(metadata_has, "postgresql")
def _metadata_has_postgresql(element: metadata_has, compiler: Any, **options: Any) -> str:
    from sqlalchemy.dialects.postgresql import JSONB  # A tenth of the start-up time on SQLite.

    def condition(value: Any) -> Any:
        for key in reversed(element.path):
            value = {key: value}
        sought = sa.literal(canonical.encode_text(value), sa.Text)
        column: Any = element.column
        return column.op("@>", is_comparison=True)(sa.cast(sought, JSONB))

    found = [condition(form) for value in element.values for form in (value, [value])]
    return str(compiler.process(sa.or_(*found).self_group(), **options))


@compiles(metadata_has)
def _metadata_has(element: metadata_has, compiler: Any, **options: Any) -> str:
    """Walk by json_each: a JSON path could not express every key."""

    def bound(value: Any) -> str:
        return str(compiler.process(sa.literal(value), **options))

    column = compiler.process(element.column, **options)
    sources = [f"json_each(CASE WHEN json_valid({column}) THEN {column} END) j0"]
    conditions = []
    for depth, key in enumerate(element.path):
        conditions.append(f"j{depth}.key = {bound(key)}")
        kind = "'object'" if depth + 1 < len(element.path) else "'array'"
        held = f"CASE WHEN j{depth}.type = {kind} THEN j{depth}.value END"
        if depth + 1 < len(element.path):
            sources.append(f"json_each({held}) j{depth + 1}")
    leaf = f"j{len(element.path) - 1}"
    own = " OR ".join(_is_value(leaf, value, bound) for value in element.values)
    inner = " OR ".join(_is_value("item", value, bound) for value in element.values)
    conditions.append(f"({own} OR EXISTS (SELECT 1 FROM json_each({held}) item WHERE {inner}))")
    return f"EXISTS (SELECT 1 FROM {', '.join(sources)} WHERE {' AND '.join(conditions)})"


def _is_value(row: str, value: Any, bound: Any) -> str:
    if value is None:
        return f"{row}.type = 'null'"
    if isinstance(value, bool):
        return f"{row}.type = '{'true' if value else 'false'}'"
    kinds = "'text'" if isinstance(value, str) else "'integer', 'real'"
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        value = float(value)
    return f"({row}.type IN ({kinds}) AND {row}.value = {bound(value)})"


class runs_code(FunctionElement[bool]):  # noqa: N801 - it stands for a function
    """Whether one of a message's calls is given code, or is the language of its words."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(runs_code, "postgresql")
def _runs_code_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    calls = compiler.process(element.clauses, **options)
    given = " || ".join(f'@.{name} like_regex "[^ ]"' for name in CODE_INPUTS)
    written = " || ".join(
        f'@.{name} like_regex "^[{{].*\\"({"|".join(CODE_INPUTS)})\\":" flag "s"'
        for name in CALL_INPUTS
    )
    language = " && ".join(f'@.language != "{each}"' for each in _NO_LANGUAGE)
    # Strict: a member that is a list would count for its items, and each twice.
    paths = (
        f"strict $.** ? ({given} || {written})",
        f'strict $[*] ? (@.name == "python" || @.language.type() == "string" && {language})',
    )
    found = " OR ".join(f"{calls} @? '{path}'::jsonpath" for path in paths)
    return f"coalesce({found}, false)"


@compiles(runs_code)
def _runs_code(element: Any, compiler: Any, **options: Any) -> str:
    calls = compiler.process(element.clauses, **options)
    given = f"key IN ({_sql_list(CODE_INPUTS)}) AND trim(value) <> ''"
    written = " OR ".join(f"value GLOB '{{*\"{name}\":*'" for name in CODE_INPUTS)
    own = (
        f"key = 'language' AND value NOT IN ({_sql_list(_NO_LANGUAGE)})"
        " OR key = 'name' AND value = 'python'"
    )
    return (
        f"EXISTS (SELECT 1 FROM json_tree(CASE WHEN json_valid({calls}) THEN {calls} END)"
        f" WHERE type = 'text' AND ({given} OR key IN ({_sql_list(CALL_INPUTS)}) AND ({written})"
        # An item of the list itself: its path has no member in it.
        f" OR path GLOB '$[[]*' AND path NOT GLOB '*.*' AND ({own})))"
    )


def _sql_list(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)
