"""Write this version's files into old_databases.

python -m tests.migrations.write_old_databases
"""

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa

import chatdb
from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.types import time_text
from chatdb.db.url import DatabaseUrl
from chatdb.operations.schema.check import dump
from chatdb.records import organization_id_of
from tests import postgres_server

FOLDER = Path(__file__).parent / "old_databases"
WORDS = ("A lantern in the harbour", "Ünï, 漢字 🏮", "```python\nprint('it''s')\n```", "")
_IDS = UUID("3f0c8a52-7f1e-5d0a-8d52-0d5d0c5a7e11")
_START = datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC)


def rows() -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    """Yield rows for every core table: the same ones whenever they are asked for."""
    organization = organization_id_of("default")
    for number in range(3):
        conversation = uuid5(_IDS, f"conversation {number}")
        time = _START + timedelta(days=number)
        key = {"organization_id": organization, "conversation_id": conversation}
        yield (
            schema.conversations,
            {
                "organization_id": organization,
                "id": conversation,
                "user_id": "ada",
                "title": f"Conversation {number}: {WORDS[number]}",
                "created_at": time,
                "updated_at": time,
                "source": "chatgpt" if number else None,
                "metadata": {"z": 1, "a": [None, "it's"]},
            },
        )
        for position, words in enumerate(WORDS):
            yield (
                schema.messages,
                {
                    **key,
                    "id": uuid5(conversation, f"message {position}"),
                    "position": position,
                    "role": ("user", "assistant", "system", "tool")[position],
                    "content": words,
                    "metadata": {},
                    "created_at": time,
                },
            )
        yield (
            schema.snapshots,
            {**key, "id": uuid5(conversation, "snapshot"), "state": {"n": 1}, "created_at": time},
        )
        yield (schema.tombstones, {**key, "message_id": UUID(int=0), "deleted_at": time})


def _statement(table: sa.Table, row: dict[str, Any]) -> str:
    values = ", ".join(_literal(value) for value in row.values())
    return f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({values});"


def _literal(value: Any) -> str:
    if value is None or isinstance(value, int):
        return "NULL" if value is None else str(value)
    if isinstance(value, datetime):
        value = time_text(value)
    elif isinstance(value, dict):
        value = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "'" + str(value).replace("'", "''") + "'"


def _write(url: DatabaseUrl) -> None:
    with Database.open(url, create=True) as database:
        upgrade(database)
        text = dump(database) + "\n" + "\n".join(_statement(*item) for item in rows()) + "\n"
    path = FOLDER / f"{chatdb.__version__}.{url.dialect_name}.sql"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="chatdb-old-"))
    folder.chmod(0o777)
    try:
        _write(DatabaseUrl(dialect_name="sqlite", path=folder / "scratch.db"))
        server = postgres_server.running_server(folder, None)
        with server.new_database() as url:
            _write(url)
    finally:
        postgres_server.stop(folder)


if __name__ == "__main__":
    main()
