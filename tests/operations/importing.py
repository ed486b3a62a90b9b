"""Making records and importing them, for the tests of import."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import msgspec
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.connect import driver_connection
from chatdb.db.database import Database
from chatdb.formats.base import Skipped
from chatdb.operations.importing.imports import ImportOptions, ImportRun
from chatdb.operations.importing.report import ImportCounts, Placed
from chatdb.records import Conversation, Message, organization_id_of
from chatdb.store.batches import Arrival
from chatdb.store.reading import read_stored

SPACE = UUID("5f0c6c1e-7a5e-4a52-9d0e-3c8b6f3a1d11")
START = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
ORGANIZATION = organization_id_of("default")


def identifier(name: str) -> UUID:
    """Return the same UUID for the same name."""
    return uuid5(SPACE, name)


def at(minutes: float) -> datetime:
    """Return a time so many minutes after the start."""
    return START + timedelta(minutes=minutes)


def message(name: str, parent: str | None = None, **fields: object) -> Message:
    """Return a message from a source, named by a word."""
    values: dict[str, object] = {
        "id": identifier(name),
        "parent_id": None if parent is None else identifier(parent),
        "role": "user",
        "content": f"text of {name}",
        "source_id": name,
        "created_at": START,
    }
    return Message(**(values | fields))  # type: ignore[arg-type]


def conversation(
    name: str = "talk", messages: Sequence[Message] = (), minutes: float = 0, **fields: object
) -> Conversation:
    """Return a conversation whose source changed it so many minutes after the start."""
    values: dict[str, object] = {
        "id": identifier(name),
        "title": f"title of {name}",
        "created_at": START,
        "updated_at": at(minutes),
        "source": "test",
        "source_id": name,
        "messages": list(messages),
        "current_message_id": messages[-1].id if messages else None,
    }
    return Conversation(**(values | fields))  # type: ignore[arg-type]


def load(
    database: Database,
    records: Iterable[Conversation | Skipped],
    *,
    hashed: bool = False,
    placed: list[Placed] | None = None,
    organization: str = "default",
    **options: object,
) -> ImportCounts:
    """Import copies of the records and return the counts."""
    chosen = ImportOptions(**options)  # type: ignore[arg-type]
    into = placed.extend if placed is not None else None
    with ImportRun(database, organization, subject="test", options=chosen, on_placed=into) as run:
        run.load(
            Arrival(msgspec.convert(msgspec.to_builtins(each), type(each)), hashed=hashed)
            if isinstance(each, Conversation)
            else Arrival(each)
            for each in records
        )
        run.complete_search_index()
    return run.counts


def stored(database: Database) -> list[Conversation]:
    """Return everything the database holds, ordered by id."""
    with database.transaction() as connection:
        ids = connection.scalars(sa.select(schema.conversations.c.id)).all()
        found = read_stored(connection, ORGANIZATION, ids)
    return [found[key].record for key in sorted(found)]


def the_one(database: Database) -> Conversation:
    """Return the only conversation."""
    (record,) = stored(database)
    return record


def tombstone(database: Database, conversation_id: object, message_id: object = None) -> None:
    """Leave a tombstone of a message, or of the whole conversation."""
    with database.transaction(write=True) as connection:
        connection.execute(
            sa.insert(schema.tombstones).values(
                organization_id=ORGANIZATION,
                conversation_id=conversation_id,
                message_id=message_id or UUID(int=0),
                deleted_at=at(0),
            )
        )


def delete_message(database: Database, name: str, conversation_name: str = "talk") -> None:
    """Delete a message as chatdb does: its row goes, a tombstone stays."""
    with database.transaction(write=True) as connection:
        table = schema.messages
        connection.execute(sa.delete(table).where(table.c.id == identifier(name)))
    tombstone(database, identifier(conversation_name), identifier(name))


def contents(record: Conversation) -> list[str]:
    """Return the texts of its messages in their order."""
    return [each.content.removeprefix("text of ") for each in record.messages]


def check_search(database: Database, word: str, expected: int) -> None:
    """Hold that full-text search finds a word so often, and that its index is there and sound."""
    with database.transaction(write=True) as connection:
        driver = driver_connection(connection)
        if database.url.dialect_name == "sqlite":
            driver.execute(_INTEGRITY_CHECK)
            found = driver.execute(_SQLITE_COUNT, (word,)).fetchone()[0]
        else:
            (definition,) = driver.execute(_POSTGRESQL_INDEX).fetchone()
            expression = definition[definition.index("USING gin (") + 11 : -1]
            driver.execute("SET LOCAL enable_seqscan = off")
            query = f"SELECT count(*) FROM messages WHERE {expression} @@ to_tsquery('simple', %s)"
            plan = str(driver.execute(f"EXPLAIN {query}", (word,)).fetchall())
            assert "ix_messages_search" in plan
            found = driver.execute(query, (word,)).fetchone()[0]
    assert found == expected


_INTEGRITY_CHECK = "INSERT INTO messages_search(messages_search, rank) VALUES('integrity-check', 1)"
_SQLITE_COUNT = "SELECT count(*) FROM messages_search WHERE messages_search MATCH ?"
_POSTGRESQL_INDEX = "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_messages_search'"
