"""Conversations of every shape for the tests of export, and the fast way into a database."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.primitives import canonical
from chatdb.records import Conversation, Embedding, Message, Snapshot, organization_id_of

ORGANIZATION = organization_id_of("default")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def message(number: int, content: str = "", **fields: Any) -> Message:
    """Return a message with the id and a time made of its number."""
    fields.setdefault("role", "user")
    fields.setdefault("created_at", NOON + timedelta(seconds=number))
    return Message(id=UUID(int=number), content=content, **fields)


def conversation(number: int, messages: Sequence[Message] = (), **fields: Any) -> Conversation:
    """Return a conversation with the id and a time made of its number."""
    time = NOON + timedelta(minutes=number)
    fields.setdefault("created_at", time)
    fields.setdefault("updated_at", time)
    return Conversation(id=UUID(int=number << 64), messages=list(messages), **fields)


_JSON = {"reasoning", "tool_calls", "tool_outputs", "attachments", "metadata", "state"}

ODD_VALUES: dict[str, Any] = {
    "zz": [1e22, 1e-7, -0.0, 0.1, 10**30, -1, 1.0, 1.5e300, 5e-324],
    "a": {"longer": None, "b": [], "ab": {}},
    "é\U0001f600": 'quote " backslash \\ tab \t line \n and \u2028',
    "": True,
}

ODD_TEXTS = (
    'quotes " and \\ backslash \\" both',
    "controls \x01\x08\x0b\x0c\x1b\x1f\x7f\x85",
    "lines\r\n\n\ttab\\n\\t\\x02 \\N",
    "\\.",
    "naïve 日本語 \U0001f600 \u2028\u202e\ufeff",
    " ",
    "NULL",
    "\\N",
)

ODD_TIMES = [
    NOON,
    NOON + timedelta(microseconds=120000),
    NOON + timedelta(microseconds=100),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]


def embedding(message_number: int, *numbers: float, model: str = "m1") -> Embedding:
    """Return the embedding of a message by its number."""
    return Embedding(
        message_id=UUID(int=message_number), model=model, vector=canonical.vector(numbers)
    )


def every_shape() -> list[Conversation]:
    """Return conversations that between them use every field and every odd value."""
    full = message(
        1,
        ODD_TEXTS[0],
        role="assistant",
        author='a"b\\c\x0b',
        model="m\n\x01",
        parent_id=UUID(int=99),
        reasoning=ODD_VALUES,
        tool_calls=[],
        tool_outputs="text",
        attachments=[{"name": "é"}, False, 0],
        source_id='s"\t\\',
        edited_at=NOON + timedelta(microseconds=5),
        metadata=ODD_VALUES,
        created_at=NOON + timedelta(microseconds=123000),
    )
    texts = [message(10 + n, text, source_id=text) for n, text in enumerate(ODD_TEXTS)]
    return [
        conversation(1),
        conversation(2, [full, *texts]),
        conversation(
            3,
            [message(1, "the same id as in another conversation")],
            user_id="u\x1b\\",
            title=ODD_TEXTS[2],
            current_message_id=UUID(int=1),
            last_accessed_at=NOON,
            archived_at=NOON + timedelta(microseconds=1),
            starred_at=datetime(1, 1, 1, tzinfo=UTC),
            pinned_at=NOON + timedelta(days=1),
            edited_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            source="chatgpt",
            source_name="n",
            source_id="",
            source_hash="h",
            metadata=ODD_VALUES,
            snapshots=[
                Snapshot(id=UUID(int=7), state=ODD_VALUES, created_at=NOON),
                Snapshot(id=UUID(int=8), state=[], created_at=NOON + timedelta(seconds=1)),
            ],
            embeddings=[
                embedding(1, 0.1, -0.000001, 1e30),
                embedding(1, 1, model='m2 "\\ 日本'),
                embedding(99, 2.5),
            ],
        ),
        conversation(4, [message(n, f"line {n}") for n in range(1, 1203)]),
        conversation(5, [message(n, "long " * n * n * 300) for n in range(6, 0, -1)]),
        conversation(6, [message(n, "many, long together" * 1_600) for n in range(40)]),
        conversation(7, [message(n, created_at=time) for n, time in enumerate(ODD_TIMES)]),
    ]


def insert(database: Database, records: Iterable[Conversation]) -> None:
    """Insert records as they are, through typed columns."""
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        for record in records:
            _insert_one(connection, record)


def fill(url: DatabaseUrl, count: int = 3, size: int = 20) -> None:
    """Put conversations of one message each into a database, titled `Chat 1` and so on."""
    with Database.open(url) as database:
        insert(
            database,
            [
                conversation(n, [message(1, f"message {n} " + "x" * size)], title=f"Chat {n}")
                for n in range(1, count + 1)
            ],
        )


def _insert_one(connection: sa.Connection, record: Conversation) -> None:
    owner = {"organization_id": ORGANIZATION, "conversation_id": record.id}
    parts = ("messages", "snapshots", "files", "embeddings")
    own = {"organization_id": ORGANIZATION, **_fields(record, *parts)}
    connection.execute(sa.insert(schema.conversations), own)
    for position, each in enumerate(record.messages):
        row = {**owner, "position": position, **_fields(each)}
        connection.execute(sa.insert(schema.messages), row)
    for snapshot in record.snapshots:
        connection.execute(sa.insert(schema.snapshots), {**owner, **_fields(snapshot)})
    for file in record.files:
        of_bytes = {"size": file.size, "media_type": file.media_type}
        kept = {"organization_id": ORGANIZATION, "digest": file.digest, **of_bytes}
        if file.size is not None:
            connection.execute(sa.insert(schema.files), kept)
        placed = {**owner, **_fields(file, *of_bytes)}
        connection.execute(sa.insert(schema.message_files), placed)
    for embedded in record.embeddings:
        connection.execute(sa.insert(schema.message_embeddings), {**owner, **_fields(embedded)})
    statement = sa.update(schema.conversations).values(updated_at=record.updated_at)
    connection.execute(statement.where(schema.conversations.c.id == record.id))


def _fields(record: msgspec.Struct, *without: str) -> dict[str, Any]:
    names = [name for name in record.__struct_fields__ if name not in without]
    return {name: _storable(name, getattr(record, name)) for name in names}


def _storable(name: str, value: Any) -> Any:
    return canonical.decode(canonical.encode(value)) if name in _JSON else value
