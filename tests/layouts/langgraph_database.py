"""Checkpoints as LangGraph writes them: on SQLite whole, on PostgreSQL the values apart.

Every object is an extension of msgpack that names a module and a class; these do not exist.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from tests.layouts.foreign_databases import values

Engine = Literal["sqlite", "postgresql"]

_KEY = (
    "thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL"
)
_TABLES = {
    "sqlite": (
        (
            f"CREATE TABLE checkpoints ({_KEY}, parent_checkpoint_id TEXT, type TEXT,"
            " checkpoint BLOB, metadata BLOB,"
            " PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))"
        ),
        (
            f"CREATE TABLE writes ({_KEY}, task_id TEXT, task_path TEXT NOT NULL DEFAULT '',"
            " idx INTEGER, channel TEXT, type TEXT, value BLOB)"
        ),
    ),
    "postgresql": (
        (
            f"CREATE TABLE checkpoints ({_KEY}, parent_checkpoint_id TEXT, type TEXT,"
            " checkpoint JSONB, metadata JSONB,"
            " PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id))"
        ),
        (
            f"CREATE TABLE checkpoint_writes ({_KEY}, task_id TEXT,"
            " task_path TEXT NOT NULL DEFAULT '', idx INTEGER, channel TEXT, type TEXT, blob BYTEA)"
        ),
        (
            "CREATE TABLE checkpoint_blobs (thread_id TEXT, checkpoint_ns TEXT DEFAULT '',"
            " channel TEXT, version TEXT, type TEXT, blob BYTEA)"
        ),
    ),
}


def tables(engine: Engine) -> tuple[str, ...]:
    return _TABLES[engine]


def message(kind: str, identifier: str | None, content: Any, **fields: Any) -> msgspec.msgpack.Ext:
    """Return a message as its serializer writes it."""
    made = {"content": content, "additional_kwargs": {}, "type": kind, "id": identifier, **fields}
    inside = [f"no_such_module.{kind}", "NoSuchClass", made, "model_validate_json"]
    return msgspec.msgpack.Ext(5, msgspec.msgpack.encode(inside))


def snapshot(*messages: Any) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(7, msgspec.msgpack.encode(list(messages)))


@dataclass
class Checkpoints:
    """The INSERTs of one thread, in either layout."""

    engine: Engine
    thread: str
    namespace: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)

    def add(self, name: str, parent: str | None, *messages: Any, **channels: Any) -> None:
        """Add a checkpoint; without messages it has none stored."""
        held = {"messages": list(messages)} if messages else {}
        held |= channels
        number = len(self.made)
        head = {"v": 4, "id": name, "ts": f"2026-11-01T10:00:{number:02d}+00:00"}
        if self.engine == "sqlite":
            raw = msgspec.msgpack.encode({**head, "channel_values": held})
            self.raw(name, parent, "msgpack", raw)
            return
        for channel, value in held.items():
            kept = self.thread, self.namespace, channel, f"{name}.{channel}", "msgpack"
            blob = self._blob(msgspec.msgpack.encode(value))
            self.made.append(f"INSERT INTO checkpoint_blobs VALUES {values([kept])[:-1]}, {blob})")
        versions = {channel: f"{name}.{channel}" for channel in held}
        body = json.dumps({**head, "channel_values": {}, "channel_versions": versions})
        row = self.thread, self.namespace, name, parent, "json", body, json.dumps(self.metadata)
        self.made.append(f"INSERT INTO checkpoints VALUES {values([row])}")

    def raw(self, name: str, parent: str | None, kind: str, data: bytes) -> None:
        """Add a checkpoint of SQLite with any bytes."""
        row = self.thread, self.namespace, name, parent, kind
        told = json.dumps(self.metadata).encode().hex()
        self.made.append(
            f"INSERT INTO checkpoints VALUES {values([row])[:-1]}, {self._blob(data)}, X'{told}')"
        )

    def write(self, name: str, number: int, *messages: Any, kind: str = "msgpack") -> None:
        """Add what was written to the messages in a checkpoint."""
        row = self.thread, self.namespace, name, "task", "~path", number, "messages", kind
        table = "writes" if self.engine == "sqlite" else "checkpoint_writes"
        blob = self._blob(msgspec.msgpack.encode(list(messages)))
        self.made.append(f"INSERT INTO {table} VALUES {values([row])[:-1]}, {blob})")

    def _blob(self, data: bytes) -> str:
        return f"X'{data.hex()}'" if self.engine == "sqlite" else f"'\\x{data.hex()}'"


SYSTEM = message("system", "s", "Be brief")
QUESTION = message("human", "q", "Weigh it")
CALL = message(
    "ai",
    "c",
    [{"type": "reasoning", "reasoning": "It must be weighed."}, {"type": "text", "text": "So."}],
    tool_calls=[{"name": "weigh", "args": {"kg": 7}, "id": "c1", "type": "tool_call"}],
    response_metadata={"model_name": "echo-1"},
)
RESULT = message("tool", "r", "7 kg", tool_call_id="c1", name="weigh", status="success")
ANSWER = message("ai", "a", "Seven.")
EDITED = message("human", "q2", "And now? (edited)")


def plain(engine: Engine) -> list[str]:
    """Return a thread with a fork, an edited and a removed message."""
    made = Checkpoints(engine, "plain", metadata={"user_id": "ann", "source": "loop", "step": 3})
    start = (SYSTEM, QUESTION, CALL, RESULT, ANSWER)
    made.add("1", None, start[0], start[1])
    made.add("2", "1", *start)
    made.add("3", "2", *start, message("human", "q2", "And now?"))
    made.add("4", "3", *start, EDITED, message("ai", "gone", "A wrong answer"))
    made.add("5", "4", *start, EDITED)
    made.add("6", "2", *start, message("human", "fork", "On a branch"))
    made.add("7", "5", *start, EDITED, message("ai", "a2", "Still seven."))
    return made.made


def delta(engine: Engine) -> list[str]:
    """Return a thread whose checkpoints store changes only, but for a snapshot."""
    told = {"counters_since_delta_snapshot": {"messages": [1, 2]}, "user_id": "ben"}
    made = Checkpoints(engine, "delta", metadata=told)
    made.add("1", None)
    made.add("2", "1", messages=snapshot(message("human", "d1", "one")))
    made.add("3", "2")
    made.add("4", "3")
    made.add("5", "4")
    made.write("2", 0, message("ai", "d2", "two"))
    made.write("3", 1, message("human", "d1", "one (edited)"))
    made.write("3", 0, message("ai", "d3", "three"))
    made.write("4", 0, message("remove", "d2", ""))
    made.write("5", 0, message("ai", "d9", "not committed"))
    return made.made


def subgraph(engine: Engine) -> list[str]:
    """Return what a sub-graph of the plain thread kept for itself."""
    made = Checkpoints(engine, "plain", "child:1", metadata={"user_id": "ann"})
    made.add("1", None, message("human", "sub", "inside"))
    return made.made


def rows(engine: Engine) -> tuple[str, ...]:
    """Return the INSERTs of all threads, and of one without messages."""
    empty = Checkpoints(engine, "empty")
    empty.add("1", None)
    return (*plain(engine), *delta(engine), *subgraph(engine), *empty.made)


def later(engine: Engine) -> tuple[str, ...]:
    """Return the checkpoint that a new question makes."""
    made = Checkpoints(engine, "empty", made=[""])
    made.add("2", "1", message("human", "late", "late"))
    return tuple(made.made[1:])


def odd(engine: Engine) -> tuple[str, ...]:
    """Return rows that cannot be read, or must not."""
    if engine == "sqlite":
        made = Checkpoints(engine, "odd")
        made.raw("messages pickle", None, "pickle", b"cos\nsystem\n(S'false'\ntR.")
        made.raw("messages msgpack+aes", None, "msgpack+aes", b"\x00\x01")
        made.raw("3", "2", "msgpack", msgspec.msgpack.encode({"ts": "2026", "id": "x"})[:-3])
        made.raw("4", "3", "msgpack", msgspec.msgpack.encode([1]))
        return tuple(made.made)
    made = Checkpoints(engine, "odd")
    made.add("1", None)
    blob = "INSERT INTO checkpoint_blobs VALUES ('odd', '', 'messages', '{0}', '{0}', '\\x80')"
    return (*made.made, *(blob.format(kind) for kind in ("pickle", "msgpack+aes")))
