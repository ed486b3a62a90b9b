"""Files to import, and what is in the database afterwards."""

from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.formats.native import conversation_line, header_line
from tests.operations.importing import conversation, message


def native(path: Path, count: int = 3, messages: int = 2, *, prefix: str = "talk") -> Path:
    with path.open("wb") as stream:
        stream.write(header_line(created=datetime(2026, 1, 1, tzinfo=UTC)))
        for number in range(count):
            names = [f"m{place}" for place in range(messages)]
            made = [message(name, content=f"text {name} " + "word " * 40) for name in names]
            stream.write(conversation_line(conversation(f"{prefix}{number}", made)))
    return path


def count_of(url: DatabaseUrl, table: sa.Table = schema.conversations) -> int:
    with Database.open(url) as database, database.transaction() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
