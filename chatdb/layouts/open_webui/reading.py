"""Open WebUI's database: chats as JSON, their messages again as rows, and what names them.

`docs/sources/open-webui.md` describes the versions and each column.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from chatdb.formats.base import Skipped
from chatdb.formats.files.json_records import ODD_SHAPE
from chatdb.formats.open_webui.chats import VERSION, read_chat
from chatdb.layouts.base import (
    EVERYWHERE,
    Context,
    Found,
    WithoutTenants,
    gathered,
    joined,
    ordered,
    without_key,
    without_parent,
)
from chatdb.layouts.foreign import ForeignDatabase, Row, quoted
from chatdb.layouts.open_webui.generations import (
    COLUMNS,
    JSON_OF_CHATS,
    JSON_OF_MESSAGES,
    TRUTHS_OF_CHATS,
    generation,
    left_alone,
    rows_of_messages,
    shared_copies,
)
from chatdb.layouts.open_webui.naming import names_in, tables_of_names
from chatdb.layouts.open_webui.system import system
from chatdb.layouts.tables import Catalogue, Table

SHARED = "shared-"
"""How the owner of a shared copy begins; the rest is the chat's id."""
COPIES = "shared copies of chats: not read again"
NO_JSON = "chats whose JSON cannot be read: made from the rows of their messages"


class OpenWebuiLayout(WithoutTenants):
    """Reads `chat` and `chat_message`, names of `folder` and `tag`."""

    system = system
    version = VERSION

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        found = (catalogue["chat"], rows_of_messages(catalogue), shared_copies(catalogue))
        return [*(each for each in found if each is not None), *tables_of_names(catalogue)]

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context
    ) -> Iterator[Found]:
        context.tally.versions[generation(foreign, catalogue)] += 1
        for what, count in left_alone(foreign, catalogue).items():
            context.tally.lossy[what] += count
        reading = _Reading(foreign, catalogue, context)
        yield from reading.chats()
        yield from reading.rest()


layout = OpenWebuiLayout()


class _Reading:
    """Reads one database."""

    def __init__(self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context) -> None:
        self._foreign = foreign
        self._context = context
        self._chats = catalogue["chat"]
        self._rows = rows_of_messages(catalogue)
        self._copies = shared_copies(catalogue)
        self._names = names_in(foreign, catalogue, context)

    def chats(self) -> Iterator[Found]:
        """Yield the chats by id, each with the rows of its messages."""
        whole = ordered(self._foreign, self._chats, by="id", where=EVERYWHERE)
        if self._rows is None:
            streams: list[tuple[Iterator[Row], str]] = []
        else:
            own = joined(
                self._foreign, self._rows, self._chats, on=("chat_id", "id"), order=["created_at"]
            )
            streams = [(own, "chat_id")]
        for chat, found in gathered(whole, "id", *streams):
            rows = found[0] if found else None
            if str(chat.get("user_id") or "").startswith(SHARED):
                yield from self._shared(chat, rows)
            else:
                yield from self._chat(chat, rows)

    def rest(self) -> Iterator[Found]:
        """Yield the rows that belong to no chat, and count the shared copies."""
        yield from without_key(self._foreign, self._chats, self._context)
        if self._rows is not None:
            for row in without_parent(self._foreign, self._rows, self._chats, on=("chat_id", "id")):
                reason = f"its chat {row['chat_id']} does not exist"
                yield self._context.skip(self._rows.name, row["id"], reason)
        if self._copies is not None and (count := self._foreign.count(self._copies)):
            self._context.count(self._copies.name, "merged", count)
            self._context.tally.lossy[COPIES] += count

    def _shared(self, chat: Row, rows: list[Row] | None) -> Iterator[Found]:
        """Leave out the copy of a chat that exists; name one whose chat is gone."""
        whose = str(chat["user_id"]).removeprefix(SHARED)
        statement = f"SELECT 1 FROM {self._foreign.place(self._chats)} WHERE {quoted('id')} = ?"
        if next(self._foreign.rows(statement, (whose,)), None) is None:
            reason = f"a shared copy of the chat {whose}, which does not exist"
            yield self._context.skip(self._chats.name, chat["id"], reason)
        else:
            self._context.count(self._chats.name, "merged")
            self._context.tally.lossy[COPIES] += 1
        if rows and self._rows is not None:
            self._context.count(self._rows.name, "merged", len(rows))

    def _chat(self, chat: Row, rows: list[Row] | None) -> Iterator[Found]:
        identifier = str(chat["id"])
        context = self._context
        _decode(chat, JSON_OF_CHATS, "chat", context)
        if not isinstance(chat.get("chat"), dict) and chat.get("chat") is not None:
            chat["chat as text"] = chat.pop("chat")
            if not rows:
                yield context.skip(
                    "chat", identifier, "its JSON cannot be read, and it has no rows"
                )
                return
            context.tally.lossy[NO_JSON] += 1
        for name in TRUTHS_OF_CHATS:
            chat[name] = bool(chat.get(name))
        messages = None if rows is None else [self._message(row) for row in rows]
        self._name(chat)
        try:
            read = read_chat(chat, messages, context.tally, source_name=context.source_name)
        except ODD_SHAPE as error:
            reason = f"unreadable: {type(error).__name__}: {error}"
            yield context.skip("chat", identifier, reason)
            return
        context.count("chat", "imported")
        yield Found(context.finished(read.record))
        for name, reason in read.odd:
            context.tally.skipped += 1
            yield Found(Skipped(f"chat {identifier}: message {name}", reason, name))

    def _message(self, row: Row) -> Row:
        """Return a message's row with the names that the chat's JSON has."""
        self._context.count("chat_message", "imported")
        del row["chat_id"]
        _decode(row, JSON_OF_MESSAGES, "chat_message", self._context)
        if row.get("done") is not None:
            row["done"] = bool(row["done"])
        return {COLUMNS.get(name, name): value for name, value in row.items() if value is not None}

    def _name(self, chat: Row) -> None:
        """Add the names of a chat's folder and tags, which have the ids only."""
        meta: Any = chat.get("meta")
        folder = self._names.folder(chat.get("folder_id"))
        told = meta.get("tags") if isinstance(meta, dict) else None
        tags = self._names.of_tags(chat.get("user_id"), told)
        chat |= {"folder": folder} if folder else {}
        chat |= {"tags": tags} if tags else {}


def _decode(row: Row, columns: frozenset[str], table: str, context: Context) -> None:
    """Read the JSON of a row; most of its columns have the text `null`, or none."""
    for name in columns & row.keys():
        value = row[name]
        if value is not None:
            row[name] = None if value == "null" else context.json(value, f"{table}.{name}")
