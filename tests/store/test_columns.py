"""Every list of columns has every column: of tables, records, bulk loads, formats, migrations."""

import json
from importlib.resources import files
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.catalogue import expected_catalogue
from chatdb.db.dialects import bulk, postgresql_bulk, postgresql_embeddings, sqlite_export
from chatdb.db.url import DialectName
from chatdb.operations import copies_lines, imports_stored, native_export
from chatdb.records import Conversation, Embedding, Message, Organization, Snapshot

LABELS = ("organization", "organization_name")
PARTS = ("messages", "snapshots", "embeddings")
OWNER = ("organization_id", "conversation_id")


def own_fields(record: type[msgspec.Struct]) -> list[str]:
    """Return the fields of a record that stand in its own row."""
    return [name for name in record.__struct_fields__ if name not in (*LABELS, *PARTS)]


EXPECTED: dict[str, tuple[type[msgspec.Struct], list[str]]] = {
    "organizations": (Organization, own_fields(Organization)),
    "conversations": (Conversation, ["organization_id", *own_fields(Conversation)]),
    "messages": (Message, [*OWNER, "position", *own_fields(Message)]),
    "snapshots": (Snapshot, [*OWNER, *own_fields(Snapshot)]),
    "message_embeddings": (Embedding, [*OWNER, *own_fields(Embedding)]),
}
"""What each table has: the fields of its record, whose they are, and their place."""

LOADED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "conversations": (bulk.CONVERSATION_COLUMNS, postgresql_bulk._CONVERSATION_TYPES),
    "messages": (bulk.MESSAGE_COLUMNS, postgresql_bulk._MESSAGE_TYPES),
    "snapshots": (bulk.SNAPSHOT_COLUMNS, postgresql_bulk._SNAPSHOT_TYPES),
    "message_embeddings": (
        postgresql_embeddings.EMBEDDINGS[1],
        postgresql_embeddings.EMBEDDINGS[2],
    ),
}
COPY_TYPES = {
    "HyphenUuid": "bytea",
    "StoredText": "text",
    "UtcTime": "timestamptz",
    "CanonicalJson": "bytea",
    "FloatVector": "bytea",
    "Integer": "int4",
}
TABLES = pytest.mark.parametrize("table", EXPECTED)


@TABLES
def test_the_schema_has_every_field_of_the_record_and_no_other(table: str) -> None:
    _, expected = EXPECTED[table]

    assert sorted(schema.metadata.tables[table].columns.keys()) == sorted(expected)


@TABLES
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_migrations_make_every_column_of_the_schema(table: str, dialect: DialectName) -> None:
    made = {
        entry.name
        for entry in expected_catalogue(dialect)
        if entry.kind == "column" and entry.table == table
    }

    assert made - {"rid"} == set(schema.metadata.tables[table].columns.keys())


def test_a_copy_moves_every_table_that_has_rows_of_chats() -> None:
    of_tenants = {
        str(table.name)
        for table in schema.metadata.tables.values()
        if "organization_id" in table.columns
    }

    assert {str(table.name) for table in copies_lines.COPIED.values()} == {
        "organizations",
        *of_tenants,
    }


@pytest.mark.parametrize("table", LOADED)
def test_a_bulk_load_writes_every_column_by_its_type(table: str) -> None:
    names, types = LOADED[table]
    columns = schema.metadata.tables[table].columns

    assert sorted(names) == sorted(columns.keys())
    assert list(types) == [COPY_TYPES[_type_name(columns[name])] for name in names]


def _type_name(column: sa.Column[Any]) -> str:
    return type(column.type).__name__


@pytest.mark.parametrize(
    ("made", "record", "without"),
    [
        (native_export._Head, Conversation, PARTS),
        (native_export._Snapshot, Snapshot, ()),
        (sqlite_export._Message, Message, ()),
    ],
    ids=["conversation", "snapshot", "message"],
)
def test_the_fast_export_writes_every_field_in_the_order_of_the_record(
    made: type[msgspec.Struct], record: type[msgspec.Struct], without: tuple[str, ...]
) -> None:
    fields = [name for name in record.__struct_fields__ if name not in without]

    assert list(made.__struct_fields__) == fields


def test_what_is_read_back_for_a_merge_is_every_field() -> None:
    assert list(imports_stored._CONVERSATION) == own_fields(Conversation)


@pytest.mark.parametrize("record", [Conversation, Message, Snapshot, Embedding])
def test_the_json_schema_of_the_native_format_has_every_field(record: type[msgspec.Struct]) -> None:
    text = files("chatdb.formats").joinpath("native_schema.json").read_text()
    described = json.loads(text)["$defs"][record.__name__.lower()]

    assert list(described["properties"]) == list(record.__struct_fields__)
    assert described["required"] == [
        field.name for field in msgspec.structs.fields(record) if field.required
    ]
