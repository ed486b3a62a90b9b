"""Databases full of generated conversations, for the benchmarks of export.

Filled past chatdb: COPY on PostgreSQL, executemany on SQLite, without the full-text index, which
reading never touches. The rows are the same for the same seed.
"""

import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from benchmarks.import_rows import Run, compare, timed
from chatdb.db.database import Database
from chatdb.db.migrations import upgrade
from chatdb.db.types import time_text
from chatdb.db.url import DatabaseUrl
from chatdb.records import organization_id_of

ORGANIZATION = str(organization_id_of("default"))
START = datetime(2025, 1, 1, tzinfo=UTC)
CONVERSATION_COLUMNS = (
    "organization_id, id, user_id, title, current_message_id, created_at, updated_at, source,"
    " source_id, source_hash, metadata"
)
MESSAGE_COLUMNS = (
    "organization_id, conversation_id, id, parent_id, position, role, model, content, source_id,"
    " metadata, created_at"
)

Row = tuple[str | int | None, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """So many messages in conversations of `per_conversation`, about 600 characters each."""

    messages: int
    per_conversation: int = 10
    seed: int = 1

    def conversations(self) -> Iterator[tuple[Row, list[Row]]]:
        """Yield the row of each conversation with the rows of its messages."""
        chance = random.Random(self.seed)
        texts = _texts(chance)
        left = self.messages
        number = 0
        while left > 0:
            count = min(self.per_conversation, left)
            left -= count
            number += 1
            yield _conversation(chance, texts, number, count)


def _texts(chance: random.Random) -> list[str]:
    """Return texts of 20 to 3,000 characters: words, some not ASCII, code, quotes, newlines."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(5000)]
    words += ["naïve", "größe", "日本語", "données", '"quoted"', "C:\\path", "it's"] * 25
    texts = []
    for _ in range(4000):
        size = min(3000, max(20, int(chance.lognormvariate(6.0, 0.9))))
        text = " ".join(chance.choices(words, k=size // 6))
        texts.append(text.replace(words[0], "\n\n```python\nprint('x')\n```\n")[:size])
    return texts


def _conversation(
    chance: random.Random, texts: list[str], number: int, count: int
) -> tuple[Row, list[Row]]:
    created = START + timedelta(seconds=37 * number, microseconds=chance.randrange(10**6))
    conversation_id = _id(chance, created)
    messages: list[Row] = []
    parent: str | None = None
    for position in range(count):
        assistant = position % 2 == 1
        message_id = _id(chance, created)
        metadata = '{"finish":"stop","model_slug":"gpt-5"}' if assistant else "{}"
        role, model = ("assistant", "gpt-5") if assistant else ("user", None)
        time = time_text(created + timedelta(seconds=position * 3))
        content = chance.choice(texts)
        messages.append(
            (
                *(ORGANIZATION, conversation_id, message_id, parent, position, role, model),
                *(content, message_id, metadata, time),
            )
        )
        parent = message_id
    time = time_text(created)
    row = (ORGANIZATION, conversation_id, "someone", f"Conversation {number}", parent, time, time)
    return (*row, "chatgpt", conversation_id, f"{number:032x}", "{}"), messages


def _id(chance: random.Random, time: datetime) -> str:
    """Return a UUIDv7, as chatdb and most applications of today make them: in the order of time."""
    milliseconds = int(time.timestamp() * 1000)
    bits = (milliseconds << 80) | (7 << 76) | (2 << 62) | chance.getrandbits(62)
    return str(UUID(int=bits | (chance.getrandbits(12) << 64)))


def fill_sqlite(path: Path, rows: Rows) -> DatabaseUrl:
    """Make a migrated SQLite file with the rows in it."""
    url = DatabaseUrl(dialect_name="sqlite", path=path)
    with Database.open(url, create=True) as database:
        upgrade(database)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("BEGIN")
        for conversation, messages in rows.conversations():
            connection.execute(_insert("conversations", CONVERSATION_COLUMNS), conversation)
            connection.executemany(_insert("messages", MESSAGE_COLUMNS), messages)
        connection.execute("COMMIT")
    return url


def _insert(table: str, columns: str) -> str:
    places = ", ".join("?" * len(columns.split(",")))
    return f"INSERT INTO {table} ({columns}) VALUES ({places})"


def fill_postgresql(url: DatabaseUrl, rows: Rows) -> None:
    """Migrate the database and COPY the rows into it, 1,000 conversations at a time.

    More at once would make this process large, and a process it starts counts as large as it is.
    """
    with Database.open(url) as database:
        upgrade(database)
    parameters = url.libpq()
    with psycopg.connect(**parameters, autocommit=True) as connection:  # type: ignore[arg-type]
        connection.execute("DROP INDEX ix_messages_content_search")
        batch: list[tuple[Row, list[Row]]] = []
        for item in rows.conversations():
            batch.append(item)
            if len(batch) >= 1_000:
                _copy(connection, batch)
                batch.clear()
        _copy(connection, batch)
        connection.execute("ANALYZE")


def _copy(
    connection: "psycopg.Connection[tuple[object, ...]]",
    batch: list[tuple[Row, list[Row]]],
) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL chatdb.bulk = 'on'")
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY conversations ({CONVERSATION_COLUMNS}) FROM STDIN") as copy:
                for conversation, _ in batch:
                    copy.write_row(conversation)
            with cursor.copy(f"COPY messages ({MESSAGE_COLUMNS}) FROM STDIN") as copy:
                for _, messages in batch:
                    for message in messages:
                        copy.write_row(message)


def measure(
    title: str, target: float, rounds: int, url: DatabaseUrl, theirs: Callable[[], Run]
) -> None:
    """Compare a baseline with `chatdb export` of everything to a file."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "export.jsonl"

        def ours() -> Run:
            words = (sys.executable, "-m", "chatdb", "export", "--quiet", "--force")
            return timed((*words, "--output", output), DATABASE_URL=url.exposed())

        compare(title, target, rounds, ours, theirs)
