"""Every list of columns has every column: of tables, records, bulk loads, formats, migrations."""

import json
from itertools import count
from typing import get_args

import msgspec
import pytest

from chatdb.db import schema
from chatdb.db.migrating.catalogue import expected_catalogue
from chatdb.db.sqlite import export as sqlite_export
from chatdb.db.url import DialectName
from chatdb.operations.copying import lines as copies_lines
from chatdb.records import (
    Conversation,
    Embedding,
    Message,
    MessageFile,
    Organization,
    Snapshot,
)
from chatdb.store import columns, line_parts, lines
from chatdb.store.files import FIELDS as FILE_FIELDS
from tests.store.filled import full
from tests.store.write_native_schema import PATH, schema_text

LABELS = ("organization", "organization_name")
PARTS = ("messages", "snapshots", "files", "embeddings")
OWNER = ("organization_id", "conversation_id")


def own_fields(record: type[msgspec.Struct]) -> list[str]:
    """Return the fields of a record that stand in its own row."""
    return [name for name in record.__struct_fields__ if name not in (*LABELS, *PARTS)]


EXPECTED: dict[str, tuple[type[msgspec.Struct], tuple[str, ...]]] = {
    "organizations": (Organization, ()),
    "conversations": (Conversation, ("organization_id",)),
    "messages": (Message, (*OWNER, "position")),
    "snapshots": (Snapshot, OWNER),
    "message_embeddings": (Embedding, OWNER),
}
"""The record of each table, and what stands before its fields: whose they are, and their place."""
TABLES = pytest.mark.parametrize("table", EXPECTED)
ALL_TABLES = pytest.mark.parametrize("table", columns.TABLES)


@TABLES
def test_the_columns_are_the_fields_of_the_record(table: str) -> None:
    record, place = EXPECTED[table]

    assert columns.names_of(table) == (*place, *own_fields(record))
    assert columns.fields_of(table) == tuple(own_fields(record))


def test_a_kept_file_has_the_fields_of_its_place_and_of_its_bytes() -> None:
    assert MessageFile.__struct_fields__ == FILE_FIELDS
    assert columns.names_of("message_files") == (*(*OWNER, *columns.fields_of("message_files")),)
    assert {*columns.fields_of("message_files"), *columns.fields_of("files")} == {*FILE_FIELDS}


@ALL_TABLES
def test_the_schema_has_every_column_of_its_type_and_no_other(table: str) -> None:
    there = schema.metadata.tables[table].columns
    wanted = {column.name: column for column in columns.columns_of(table)}

    assert sorted(there.keys()) == sorted(wanted)
    for name, column in wanted.items():
        kinds = {column.kind.sql, "Text"} if column.kind is columns.TEXT else {column.kind.sql}
        assert type(there[name].type).__name__ in kinds, name
        assert there[name].nullable is (column.absent == "null"), name


@ALL_TABLES
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
        if "organization_id" in table.columns and table not in schema.DERIVED
    }

    copied = {str(table.name) for table in copies_lines.COPIED.values()}
    assert copied == {"organizations", *of_tenants} == set(columns.TABLES)


def test_what_is_usual_of_a_message_is_text_but_for_its_metadata_and_time() -> None:
    """The fast export takes the text of a usual column as it is, and makes these two by itself."""
    made = [
        column.name
        for column in columns.columns_of("messages")
        if column.native
        and not column.seldom
        and column.kind not in (columns.ID, columns.ROLE, columns.TEXT)
    ]

    assert made == ["metadata", "created_at"]


@pytest.mark.parametrize(
    ("made", "record", "without"),
    [
        (lines._Head, Conversation, PARTS),
        *(
            (part.made, record, ())
            for part, record in zip(line_parts.PARTS, (Snapshot, MessageFile), strict=True)
        ),
        (sqlite_export._Message, Message, ()),
    ],
    ids=["conversation", "snapshot", "file", "message"],
)
def test_the_fast_export_writes_every_field_in_the_order_of_the_record(
    made: type[msgspec.Struct], record: type[msgspec.Struct], without: tuple[str, ...]
) -> None:
    fields = [name for name in record.__struct_fields__ if name not in without]

    assert list(made.__struct_fields__) == fields


def test_the_maker_of_records_sets_every_usual_field() -> None:
    """A record that it cannot make is made of JSON, several times slower but equal."""
    message = full(Message, count(1), position=0)
    texts = msgspec.to_builtins(message)
    usual = [
        each.name for each in columns.columns_of("messages") if each.native and not each.seldom
    ]
    metadata = msgspec.Raw(msgspec.json.encode(message.metadata))

    (made,) = sqlite_export._records_of([("", *map(texts.get, usual), None)], [metadata])

    seldom = set(columns.fields_of("messages")) - set(usual)
    assert made == msgspec.structs.replace(message, **dict.fromkeys(seldom))


def test_every_kind_of_merging_is_known() -> None:
    known = set(get_args(columns.Merge))
    merged = [name for rule in sorted(known) for name in columns.merged_by(rule)]

    assert sorted(merged) == sorted(columns.fields_of("conversations"))


def test_the_json_schema_is_made_of_the_columns() -> None:
    assert PATH.read_text() == schema_text(), "run: python -m tests.store.write_native_schema"


@pytest.mark.parametrize("record", [Conversation, Message, Snapshot, MessageFile, Embedding])
def test_the_json_schema_of_the_native_format_has_every_field(record: type[msgspec.Struct]) -> None:
    name = record.__name__.removeprefix("Message") or record.__name__
    described = json.loads(schema_text())["$defs"][name.lower()]

    assert list(described["properties"]) == list(record.__struct_fields__)
    assert described["required"] == [
        field.name for field in msgspec.structs.fields(record) if field.required
    ]


def test_every_table_says_how_a_cluster_distributes_it() -> None:
    tables = schema.metadata.tables.values()
    said = {str(table.name): table.info.get(schema.DISTRIBUTE) for table in tables}

    by_organization = {str(table.name) for table in tables if "organization_id" in table.columns}
    referred = {
        str(key.column.table.name)
        for table in tables
        if table.name in by_organization
        for key in table.foreign_keys
    }
    assert len(said) > len(by_organization) > 1
    assert said == {
        name: "organization_id"
        if name in by_organization
        else "reference"
        if name in referred
        else "local"
        for name in said
    }
