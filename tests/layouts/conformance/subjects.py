"""What the conformance suite tries: for each system a small database of ours, and what is in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chatdb.db.url import DatabaseUrl
from chatdb.layouts.recognising import systems
from chatdb.layouts.tables import System
from tests.layouts import (
    chatmcp_database,
    langgraph_database,
    open_webui_database,
    relay_database,
    test_chat_threads,
    test_helvino,
    test_multichat,
)
from tests.layouts.foreign_databases import make_postgresql, make_sqlite

Engine = Literal["sqlite", "postgresql"]
Statements = Callable[[Engine], tuple[str, ...]]


@dataclass(frozen=True)
class Subject:
    """A system's tables and rows, and what must come of them.

    `counts` are conversations and messages by organization, `skipped` the rows that are named.
    `later` adds one message; `odd` adds rows that cannot be read, `named` are their ids.
    `back` are tables that the way back needs and does not make.
    """

    name: str
    tables: Statements
    rows: Statements
    counts: dict[str, tuple[int, int]]
    later: Statements
    odd: Statements
    named: frozenset[str]
    skipped: int = 0
    engines: tuple[Engine, ...] = ("postgresql",)
    back: tuple[str, ...] = field(default=())

    @property
    def system(self) -> System:
        """The reader's own declaration."""
        (found,) = [each for each in systems() if each.name == self.name]
        return found

    def make(self, engine: Engine, place: DatabaseUrl | Path, *more: str) -> DatabaseUrl:
        """Make the database, in an empty one or as a file of that name."""
        statements = (*self.tables(engine), *self.rows(engine), *more)
        if isinstance(place, DatabaseUrl):
            return make_postgresql(place, *statements)
        return make_sqlite(place, *statements)


def _always(*statements: str) -> Statements:
    return lambda _engine: statements


def _of_multichat(engine: Engine) -> tuple[str, ...]:
    meta = "TEXT" if engine == "sqlite" else "JSONB"
    return tuple(table.format(meta=meta) for table in test_multichat.TABLES)


_ORPHAN = "99999999-9999-4999-8999-999999999999"

SUBJECTS = (
    Subject(
        name="relay",
        tables=_always(*relay_database.TABLES),
        rows=_always(*relay_database.ROWS),
        counts={"default": (3, 14)},
        later=_always(
            f"INSERT INTO messages VALUES ('{relay_database.MESSAGE % 20}',"
            f" '{relay_database.CHAT % 3}', 'user', 'late', NULL, '2025-06-21 00:00:00+00')"
        ),
        odd=_always(
            "ALTER TABLE messages DROP CONSTRAINT messages_chat_id_fkey",
            f"INSERT INTO messages VALUES ('{relay_database.MESSAGE % 30}', '{_ORPHAN}', 'user',"
            " '', NULL, '2025-06-21 00:00:00+00')",
        ),
        named=frozenset({relay_database.MESSAGE % 30}),
    ),
    Subject(
        name="chatmcp",
        tables=_always(*chatmcp_database.FIRST_MIGRATION),
        rows=_always(*chatmcp_database.rows(folded=True)),
        counts={"default": (2, 3)},
        later=_always(
            "INSERT INTO messages (id, conversationid, role, content) VALUES"
            f" ('{chatmcp_database.MESSAGE % 20}', '{chatmcp_database.TALK % 2}', 'user', 'late')"
        ),
        odd=_always(
            "ALTER TABLE messages DROP CONSTRAINT fk_conversation",
            "ALTER TABLE messages DROP CONSTRAINT messages_conversationid_fkey",
            "INSERT INTO messages (id, conversationid, role, content) VALUES"
            f" ('{chatmcp_database.MESSAGE % 30}', '{_ORPHAN}', 'user', '')",
        ),
        named=frozenset({chatmcp_database.MESSAGE % 30}),
    ),
    Subject(
        name="chat-threads",
        tables=_always(*test_chat_threads.TABLES),
        rows=_always(*test_chat_threads.THREADS),
        counts={"default": (3, 6)},
        skipped=1,
        later=_always(
            'UPDATE chat_threads SET messages = \'[{"role": "user", "content": "late"}]\''
            " WHERE id = 2"
        ),
        odd=_always(
            "INSERT INTO chat_threads (id, user_id, title, messages) VALUES (9, 1, '', '5')"
        ),
        named=frozenset({"3", "9"}),
    ),
    Subject(
        name="helvino",
        tables=_always(*test_helvino.FIRST, *test_helvino.LATER),
        rows=_always(*test_helvino.ROWS, *test_helvino.LATER_ROWS),
        counts={"demo": (1, 2), "acme": (1, 1), "idle": (0, 0)},
        skipped=1,
        later=_always(
            'INSERT INTO messages (id, "conversationId", "orgId", role, content, "timestamp")'
            " VALUES ('m9', '1770304200000-b2', 'cl2', 'user', 'late', '2026-02-06')"
        ),
        odd=_always(
            'ALTER TABLE messages DROP CONSTRAINT "messages_conversationId_fkey"',
            'INSERT INTO messages (id, "conversationId", "orgId", role, content, "timestamp")'
            " VALUES ('m8', 'gone', 'cl2', 'user', '', '2026-02-06')",
        ),
        named=frozenset({"m3", "m8"}),
        back=(*test_helvino.FIRST, *test_helvino.LATER),
    ),
    Subject(
        name="multichat",
        tables=_of_multichat,
        rows=_always(*test_multichat.ROWS),
        counts={"default": (2, 3)},
        engines=("sqlite", "postgresql"),
        later=_always(
            "INSERT INTO messages VALUES ('late', 'empty', 'user', 'late', '2025-08-02 10:00:00',"
            " NULL, NULL)"
        ),
        odd=lambda engine: (
            *(
                ()
                if engine == "sqlite"
                else ("ALTER TABLE messages DROP CONSTRAINT messages_conversation_id_fkey",)
            ),
            "INSERT INTO messages VALUES ('orphan', 'gone', 'user', '', NULL, NULL, NULL)",
        ),
        named=frozenset({"orphan"}),
    ),
    Subject(
        name="open-webui",
        tables=lambda engine: open_webui_database.tables("current", engine),
        rows=lambda engine: open_webui_database.rows("current", engine),
        counts={"default": (4, 9)},
        engines=("sqlite", "postgresql"),
        later=_always(
            open_webui_database.message_row(open_webui_database.EMPTY, "late", "user", None, "late")
        ),
        odd=_always(
            open_webui_database.message_row("gone", "m-1", "user", None, "of no chat"),
            "INSERT INTO chat (id, title, chat) VALUES ('cut', '', '\"{''history''\"')",
        ),
        named=frozenset({"gone-m-1", "cut"}),
    ),
    Subject(
        name="langgraph",
        tables=langgraph_database.tables,
        rows=langgraph_database.rows,
        counts={"default": (3, 15)},
        engines=("sqlite", "postgresql"),
        later=langgraph_database.later,
        odd=langgraph_database.odd,
        named=frozenset({"odd messages pickle", "odd messages msgpack+aes"}),
    ),
)
CASES = [(subject, engine) for subject in SUBJECTS for engine in subject.engines]
