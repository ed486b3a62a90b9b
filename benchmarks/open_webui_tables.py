"""Open WebUI's tables filled from the list that it imports, as its importer does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl

_TABLES = (
    (
        "CREATE TABLE chat (id TEXT PRIMARY KEY, user_id TEXT, title TEXT, chat JSON, meta JSON,"
        " created_at BIGINT, updated_at BIGINT, share_id TEXT, archived BOOLEAN, pinned BOOLEAN,"
        " folder_id TEXT, variables JSON, current_message_id TEXT)"
    ),
    (
        "CREATE TABLE chat_message (id TEXT PRIMARY KEY, chat_id TEXT NOT NULL REFERENCES chat,"
        " user_id TEXT, role TEXT NOT NULL, parent_id TEXT, content JSON, output JSON,"
        " model_id TEXT, files JSON, sources JSON, embeds JSON, meta JSON, done BOOLEAN,"
        " status_history JSON, error JSON, usage JSON, created_at BIGINT, updated_at BIGINT,"
        " context_summary TEXT)"
    ),
    "CREATE INDEX ON chat_message (chat_id)",
)


def fill(url: DatabaseUrl, path: Path) -> None:
    """Make the tables in an empty PostgreSQL database and fill them from the file."""
    with connect_postgresql(url, autocommit=True) as connection:
        for statement in _TABLES:
            connection.execute(statement.encode())
        for table, rows in (("chat", _chats(path)), ("chat_message", _messages(path))):
            with connection.cursor().copy(f"COPY {table} FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)
        connection.execute("ANALYZE")


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as file:
        for line in file:
            if line.startswith("{"):
                yield json.loads(line.rstrip(",\n"))


def _chats(path: Path) -> Iterator[tuple[Any, ...]]:
    for each in _entries(path):
        made = json.dumps(each["chat"]), json.dumps(each["meta"])
        times = each["created_at"], each["updated_at"]
        yield (
            *(each["id"], each["user_id"], each["title"], *made, *times),
            *(None, each["archived"], each["pinned"], None, "{}", each["current_message_id"]),
        )


def _messages(path: Path) -> Iterator[tuple[Any, ...]]:
    for each in _entries(path):
        for name, node in each["chat"]["history"]["messages"].items():
            found = {key: json.dumps(node.get(key)) for key in ("content", "output", "files")}
            yield (
                *(f"{each['id']}-{name}", each["id"], each["user_id"], node["role"]),
                *(
                    node["parentId"],
                    found["content"],
                    found["output"],
                    node.get("model"),
                    found["files"],
                ),
                *("null", "null"),
                *(json.dumps(node.get("meta")), True, "null", "null", "null"),
                *(node["timestamp"], node["timestamp"], None),
            )
