"""Only `store`, `db` and the migrations name a column of chats in SQL: the list is `columns.py`.

A new column must not need another statement. Keys and places are left out of it: every table has
them. So is what is named beside a record, an option or a report: that is no SQL. What may name
others says here which, and why: a filter, a sort, a sum that is shown, a change that is asked for.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatdb.store.columns import COLUMNS, FLAGS, TABLES

ROOT = Path(__file__).resolve().parents[2]
OWNERS = ("chatdb/store/", "chatdb/db/")
OTHER_SYSTEMS = "chatdb/layouts/"
"""Their SQL is about the tables of other systems."""
PLACES = {"id", "key", "organization_id", "conversation_id", "message_id", "parent_id", "position"}
NAMES = {column.name for column in COLUMNS} - PLACES
_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WHERE|ORDER BY)\b")
_TABLE = re.compile(rf"\b({'|'.join(TABLES)})\b")

SHOWN = "it filters, sorts and counts by what its lists show"
LOGGED = "the kind of an entry of the log, which is no column of chats"
CHANGED = "it tells what it is asked to change, or changes that alone"
AS_OTHERS_DO = "it reads and writes in SQL of its own, as an application does, to see that it can"
MAY_NAME: dict[str, tuple[str, set[str]]] = {
    "chatdb/operations/attachments/lists.py": (
        SHOWN,
        {"digest", "media_type", "name", "size", "user_id"},
    ),
    "chatdb/operations/conversations/lists.py": (
        SHOWN,
        {"created_at", "last_accessed_at", "title", "updated_at"},
    ),
    "chatdb/operations/security/isolation.py": (
        AS_OTHERS_DO,
        {"content", "created_at", "deleted_at", "digest", "metadata", "model", "name", "role"}
        | {"size", "state", "title", "updated_at", "user_id", "vector"},
    ),
    "chatdb/operations/conversations/reindex.py": (
        "it fills one column of what came from some sources, and leaves the time of the change",
        {"attached_text", "metadata", "source", "updated_at"},
    ),
    "chatdb/operations/conversations/messages.py": (SHOWN, {"role"}),
    "chatdb/operations/organizations/organizations.py": (
        SHOWN,
        {"created_at", "name", "updated_at", "user_id"},
    ),
    "chatdb/operations/searching/hits.py": (
        SHOWN,
        {"author", "content", "created_at", "current_message_id", "kind", "model", "role", "title"}
        | {"user_id"},
    ),
    "chatdb/operations/searching/search.py": (SHOWN, {"created_at"}),
    "chatdb/operations/searching/titles.py": (SHOWN, {"kind", "title", "updated_at", "user_id"}),
    "chatdb/operations/smoke_test/traces.py": (CHANGED, {"name"}),
    "chatdb/operations/conversations/snapshots.py": (SHOWN, {"created_at", "state"}),
    "chatdb/operations/copying/state.py": (LOGGED, {"kind"}),
    "chatdb/operations/importing/imports.py": (LOGGED, {"kind"}),
    "chatdb/operations/importing/source_names.py": (SHOWN, {"source", "source_name"}),
    "chatdb/operations/searching/stats.py": (SHOWN, {"title", "user_id"}),
    "chatdb/operations/searching/stats_query.py": (SHOWN, {"kind"}),
    "chatdb/operations/organizations/users.py": (
        SHOWN,
        {"created_at", "last_accessed_at", "updated_at", "user_id"},
    ),
    "chatdb/operations/smoke_test/conversation.py": (
        AS_OTHERS_DO,
        {"content", "created_at", "metadata", "role", "updated_at"},
    ),
    "chatdb/operations/smoke_test/round_trip.py": (
        AS_OTHERS_DO,
        {"created_at", "digest", "model", "state", "vector"},
    ),
}
"""Files beside the owners with the columns that they name, and why."""


def named_in_sql(tree: ast.Module) -> set[str]:
    """Return the columns that a module names: of a table, in a statement's text, as a value."""
    aliases = set(_aliases(tree))
    return {name for node in ast.walk(tree) for name in _named(node, aliases)} & NAMES


def _is_columns(value: ast.AST) -> bool:
    """Tell whether an expression is the columns of a table of chats: `schema.messages.c`."""
    if not (isinstance(value, ast.Attribute) and value.attr in ("c", "columns")):
        return False
    table = value.value
    name = table.attr if isinstance(table, ast.Attribute) else getattr(table, "id", None)
    return name not in ("settings", "leases", "log")


def _aliases(tree: ast.Module) -> Iterator[str]:
    """Yield the names that stand for the columns of a table: `own = messages.c`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            several = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
            pairs = (
                zip(target.elts, node.value.elts, strict=False)  # type: ignore[attr-defined]
                if several
                else [(target, node.value)]
            )
            for name, value in pairs:
                if _is_columns(value) and isinstance(name, ast.Name):
                    yield name.id


def _named(node: ast.AST, aliases: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        of = node.value
        if _is_columns(of) or (isinstance(of, ast.Name) and of.id in aliases):
            yield node.attr
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("values", "filter_by"):
            yield from (keyword.arg for keyword in node.keywords if keyword.arg is not None)
    elif isinstance(node, ast.Constant) and _is_sql(node.value):
        yield from re.findall(r"\w+", re.sub(r"'[^']*'", "", str(node.value)))


def _is_sql(value: object) -> bool:
    """Tell whether a literal is text of a statement on a table of chats."""
    return isinstance(value, str) and bool(_SQL.search(value) and _TABLE.search(value))


def users() -> dict[str, set[str]]:
    """Return the files beside the owners that name columns, with their names."""
    found = {}
    for path in sorted((ROOT / "chatdb").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if not name.startswith((*OWNERS, OTHER_SYSTEMS)):
            columns = named_in_sql(ast.parse(path.read_text()))
            if columns:
                found[name] = columns
    return found


@pytest.mark.parametrize(
    "text",
    [
        "x = sa.select(conversations.c.title)",
        "own = schema.conversations.c\nx = own.title",
        "a, own = 1, messages.c\nx = own.title",
        "x = sa.update(conversations).values(title='new')",
        "x = 'SELECT title FROM conversations'",
        "x = f'UPDATE conversations SET title = {new}'",
    ],
)
def test_a_column_that_is_named_is_found(text: str) -> None:
    assert named_in_sql(ast.parse(text)) == {"title"}


@pytest.mark.parametrize(
    "text",
    [
        "x = record.title",
        "x = Conversation(title='new')",
        "x = 'the title of conversations'",
        "x = sa.select(conversations.c.id).where(messages.c.position > 3)",
    ],
)
def test_what_is_no_column_in_sql_is_not(text: str) -> None:
    assert named_in_sql(ast.parse(text)) == set()


def test_only_the_owners_name_columns_but_for_what_is_said_here() -> None:
    assert users() == {name: columns for name, (_, columns) in MAY_NAME.items()}


SPELLING_FLAGS = {
    "chatdb/db/schema.py",
    "chatdb/formats/chatgpt/reader.py",
    "chatdb/formats/claude/reader.py",
    "chatdb/formats/open_webui/chats.py",
    "chatdb/formats/open_webui/remainders.py",
    "chatdb/formats/open_webui/writer.py",
    "chatdb/operations/conversations/lists.py",
    "chatdb/records.py",
    "chatdb/seeds/conversations.py",
    "chatdb/store/columns.py",
}
"""Beside the owner: what describes it, the readers and writers of what has it, the list that shows
it."""


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_costs_nothing_where_it_is_neither_read_nor_shown(flag: str) -> None:
    spelling = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "chatdb").rglob("*.py")
        if re.search(rf"\b{FLAGS[flag]}\b", path.read_text())
    }

    assert len(spelling) > 4
    assert spelling <= SPELLING_FLAGS
