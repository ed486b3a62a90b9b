"""The threads of a LangGraph database, one at a time: their checkpoints and the values apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatdb.formats.base import Skipped
from chatdb.layouts.base import Context, Found
from chatdb.layouts.foreign import ForeignDatabase, Row, quoted
from chatdb.layouts.langgraph.lists import Lists
from chatdb.layouts.langgraph.prefixes import KnownList, known_list
from chatdb.layouts.langgraph.states import GraphCheckpoint, Writes
from chatdb.layouts.langgraph.values import Pool, UnreadableError
from chatdb.layouts.tables import Catalogue, Table

_PLUMBING = ("__", "branch:")
"""How the names of channels begin that the graph itself uses."""
_DELTAS = ("counters_since_delta_snapshot", "delta_writes_versioned")
_KEY = ("thread_id", "checkpoint_ns")
_MAIN = "messages"
OTHERS = "values of other channels than messages left out"


@dataclass(slots=True)
class GraphThread:
    """A thread or a sub-graph's part of one: `deltas` are channels that store changes only."""

    id: str
    namespace: str
    pool: Pool = field(default_factory=Pool)
    lists: Lists = field(init=False)
    checkpoints: dict[str, GraphCheckpoint] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    deltas: set[str] = field(default_factory=set)
    unread: list[tuple[str, str, str]] = field(default_factory=list)
    """What could not be read: its table, which, and why."""

    def __post_init__(self) -> None:
        self.lists = Lists(self.pool)


def values_apart(catalogue: Catalogue) -> Table | None:
    """Return the table with the values of channels: only PostgreSQL stores them apart."""
    found = catalogue.get("checkpoint_blobs")
    return found if found is not None and found.has(*_KEY, "channel", "version", "blob") else None


def writes_in(catalogue: Catalogue) -> Table:
    """Return the table with what was written in each checkpoint."""
    return catalogue.get("checkpoint_writes") or catalogue["writes"]


class Threads:
    """Reads the threads of one database."""

    def __init__(self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context) -> None:
        self._foreign = foreign
        self._context = context
        self._checkpoints = catalogue["checkpoints"]
        self._blobs = values_apart(catalogue)
        self._writes = writes_in(catalogue)
        self._ahead: Row | None = None
        self._values: Iterator[Row] = iter(())

    def __iter__(self) -> Iterator[GraphThread]:
        """Yield the threads by id and namespace; memory holds one of them."""
        if self._blobs is not None:
            self._values = self._rows_of_blobs(self._blobs)
            self._ahead = next(self._values, None)
        place, columns = (
            self._foreign.place(self._checkpoints),
            self._foreign.columns(self._checkpoints, of="c"),
        )
        by = ", ".join(f"c.{quoted(name)}" for name in (*_KEY, "checkpoint_id"))
        thread: GraphThread | None = None
        stored: dict[tuple[str, str], int] = {}
        for row in self._foreign.rows(f"SELECT {columns} FROM {place} AS c ORDER BY {by}"):
            key = str(row["thread_id"]), str(row["checkpoint_ns"] or "")
            if thread is None or key != (thread.id, thread.namespace):
                if thread is not None:
                    yield thread
                    thread.pool.close()
                thread = GraphThread(*key)
                stored = self._stored(thread)
            self._add(thread, row, stored)
        if thread is not None:
            yield thread

    def writes(self, thread: GraphThread, channel: str) -> Writes:
        """Return what was written to a channel, by checkpoint, in the order in which it counts."""
        names = ("checkpoint_id", "task_path", "task_id", "idx", "type")
        value = "value" if self._writes.has("value") else "blob"
        shown = [name for name in (*names, value) if self._writes.has(name)]
        columns = ", ".join(
            self._foreign.expression(self._writes, name) + f" AS {quoted(name)}" for name in shown
        )
        statement = (
            f"SELECT {columns} FROM {self._foreign.place(self._writes)} WHERE"
            f" {quoted('thread_id')} = ? AND {quoted('checkpoint_ns')} = ?"
            f" AND {quoted('channel')} = ?"
        )
        rows = self._foreign.rows(statement, (thread.id, thread.namespace, channel))
        ordered = sorted(rows, key=_place)
        found: dict[str, list[tuple[int, ...]]] = {}
        for row in ordered:
            self._context.count(self._writes.name, "merged")
            name = f"{thread.id} {row['checkpoint_id']} {channel}"
            decoded = self._decoded(thread, self._writes.name, name, row["type"], row[value])
            messages = thread.pool.messages(decoded)
            if messages:
                found.setdefault(str(row["checkpoint_id"]), []).append(messages)
        return found

    def _rows_of_blobs(self, table: Table) -> Iterator[Row]:
        columns = self._foreign.columns(table, of="b")
        by = ", ".join(f"b.{quoted(name)}" for name in _KEY)
        # The longest list first, of which the others are beginnings.
        by += f", b.{quoted('channel')}, b.{quoted('version')} DESC"
        same = " AND ".join(f"c.{quoted(name)} = b.{quoted(name)}" for name in _KEY)
        checkpoints = self._foreign.place(self._checkpoints)
        ours = " AND ".join(f"NOT starts_with(b.{quoted('channel')}, ?)" for _ in _PLUMBING)
        # Without those of no checkpoint, so that both come in one order.
        return self._foreign.rows(
            f"SELECT {columns} FROM {self._foreign.place(table)} AS b WHERE EXISTS (SELECT 1 FROM"
            f" {checkpoints} AS c WHERE {same}) AND {ours} ORDER BY {by}",
            _PLUMBING,
        )

    def _stored(self, thread: GraphThread) -> dict[tuple[str, str], int]:
        """Return the lists of messages among a thread's values, by channel and version."""
        found: dict[tuple[str, str], int] = {}
        longest: dict[str, KnownList | None] = {}
        while self._ahead is not None and (
            (self._ahead["thread_id"], self._ahead["checkpoint_ns"])
            == (thread.id, thread.namespace)
        ):
            row = self._ahead
            self._context.count("checkpoint_blobs", "merged")
            place = str(row["channel"]), str(row["version"])
            messages = self._messages(thread, place, row, longest)
            if messages is not None:
                found[place] = messages
            self._ahead = next(self._values, None)
        return found

    def _messages(
        self,
        thread: GraphThread,
        place: tuple[str, str],
        row: Row,
        longest: dict[str, KnownList | None],
    ) -> int | None:
        """Return the messages of a value; None for one of none, or that cannot be read."""
        channel, version = place
        data = b"" if row["blob"] is None else self._foreign.as_bytes(str(row["blob"]))
        known = longest.get(channel)
        if known is not None and row["type"] == "msgpack":
            beginning = known.beginning(data)
            if beginning is not None:
                return beginning
        unread = len(thread.unread)
        name = f"{thread.id} {channel} {version}"
        value = self._decoded(thread, "checkpoint_blobs", name, row["type"], data)
        if len(thread.unread) > unread and channel != _MAIN:
            self._context.tally.lossy[f"{OTHERS}: {thread.unread.pop()[2]}"] += 1
        messages = None if value is None else thread.pool.messages(value)
        if messages is None:
            return None
        number = thread.lists.of(messages)
        longest[channel] = known_list(data, thread.lists.path(number))
        return number

    def _add(self, thread: GraphThread, row: Row, stored: Mapping[tuple[str, str], int]) -> None:
        identifier = str(row["checkpoint_id"])
        name = f"{thread.id} {identifier}"
        value = self._checkpoint(thread, name, row)
        if not isinstance(value, dict):
            return
        metadata = self._context.json(row.get("metadata"), "checkpoints.metadata")
        if isinstance(metadata, dict):
            thread.metadata = metadata
            for delta in _DELTAS:
                told = metadata.get(delta)
                thread.deltas |= set(told) if isinstance(told, dict | list) else set()
        parent = row["parent_checkpoint_id"]
        checkpoint = GraphCheckpoint(
            identifier, None if not parent else str(parent), value.get("ts")
        )
        thread.checkpoints[identifier] = checkpoint
        values = value.get("channel_values")
        for channel, each in values.items() if isinstance(values, dict) else ():
            if not str(channel).startswith(_PLUMBING) and each is not None:
                messages = thread.pool.messages(each)
                if messages is not None:
                    checkpoint.stored[str(channel)] = thread.lists.of(messages)
        versions = value.get("channel_versions")
        for channel, version in versions.items() if isinstance(versions, dict) and stored else ():
            number = stored.get((str(channel), str(version)))
            if number is not None:
                checkpoint.stored[str(channel)] = number

    def _checkpoint(self, thread: GraphThread, name: str, row: Row) -> Any:
        """Return the checkpoint itself: JSON on PostgreSQL, a value as others on SQLite."""
        raw = row["checkpoint"]
        if self._checkpoints.columns["checkpoint"].lower().startswith("json"):
            self._context.count("checkpoints", "merged")
            return self._context.json(raw, "checkpoints.checkpoint")
        value = self._decoded(thread, "checkpoints", name, row.get("type"), raw)
        if isinstance(value, dict):
            self._context.count("checkpoints", "merged")
        elif not any(which == name for _, which, _ in thread.unread):
            thread.unread.append(("checkpoints", name, "it is no checkpoint"))
        return value

    def _decoded(self, thread: GraphThread, table: str, name: str, kind: Any, raw: Any) -> Any:
        if raw is None:
            return None
        try:
            data = raw if isinstance(raw, bytes) else self._foreign.as_bytes(str(raw))
            return thread.pool.value(kind, data)
        except (UnreadableError, ValueError) as error:
            thread.unread.append((table, name, str(error)))
            return None


def unread_of(thread: GraphThread, context: Context) -> Iterator[Found]:
    """Yield what of a thread could not be read; only rows of checkpoints are whole losses."""
    for table, name, reason in thread.unread:
        if table == "checkpoints":
            yield context.skip(table, name, reason)
        else:
            context.tally.skipped += 1
            yield Found(Skipped(f"{table} {name}", reason, name))


def _place(row: Row) -> tuple[str, str, str, int]:
    number = row["idx"]
    return (
        *(str(row["checkpoint_id"]), str(row.get("task_path") or ""), str(row["task_id"])),
        number if isinstance(number, int) else 0,
    )
