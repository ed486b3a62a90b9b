"""Vectors of messages on PostgreSQL: arrays that are compared outside, or indexed by pgvector."""

from collections.abc import Generator, Mapping, Sequence
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

from chatdb.db.connect import driver_connection
from chatdb.db.contract.vectors import (
    READ_AT_ONCE,
    MadeVector,
    Neighbourhood,
    Place,
    VectorChunk,
    VectorStore,
    common_length,
)
from chatdb.db.postgresql.place import sql_name
from chatdb.db.schema import message_vectors
from chatdb.errors import UsageError

if TYPE_CHECKING:
    from chatdb.db.database import Database

FEW = 20_000
"""Up to so many vectors, comparing them all is as fast as the index, and exact."""

_WRITE = """
INSERT INTO message_vectors
  (organization_id, conversation_id, message_id, model, digest, vector)
SELECT m.organization_id, m.conversation_id, m.id, %s, k.digest,
       CASE WHEN k.has THEN (%s::real[])[(k.place - 1) * %s + 1 : k.place * %s] END
FROM unnest(%s::uuid[], %s::uuid[], %s::bytea[], %s::bool[]) WITH ORDINALITY
       AS k(conversation_id, id, digest, has, place)
JOIN messages m ON m.organization_id = %s AND m.conversation_id = k.conversation_id AND m.id = k.id
FOR KEY SHARE OF m
ON CONFLICT (organization_id, conversation_id, message_id, model)
DO UPDATE SET digest = excluded.digest, vector = excluded.vector
"""
_INDEX = """
SELECT n.nspname::text, c.relname::text, pg_relation_size(c.oid), x.indisvalid AND x.indisready
FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace t
  ON t.oid = c.relnamespace
CROSS JOIN pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE x.indrelid = to_regclass('message_vectors') AND c.relname = %s AND e.extname = 'vector'
"""
_EXTENSION = """
SELECT n.nspname::text, e.extversion FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
"""
_ITERATIVE = {
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.ef_search": "1000",
    "hnsw.max_scan_tuples": "200000",
    "hnsw.scan_mem_multiplier": "4",
    # Sorting all vectors of a user takes a hundred times as long as the index.
    "enable_sort": "off",
}
"""Settings of a search by the index; without the first it returns too few rows of a tenant."""
_OVER_FETCHED = 4_000
"""Vectors that are taken from the index: the nearest ten are among so many, not among ten."""
_MOST_INDEXED = 2_000
"""Numbers of a vector that pgvector can index."""
_HEADER = Struct(">iiIii")
_FLOAT_ARRAY, _FLOAT = 1021, 700
_UUID = 16
"""Bytes of a UUID."""


class PostgresqlVectors(VectorStore):
    """Arrays of single precision, which pgvector indexes as its own type."""

    def write(
        self,
        connection: sa.Connection,
        organization_id: UUID,
        model: str,
        made: Sequence[MadeVector],
    ) -> None:
        numbers = next((len(each.vector) // 4 for each in made if each.vector is not None), 0)
        nothing = bytes(4 * numbers)
        flat = _FloatArray(b"".join(each.vector or nothing for each in made))
        with driver_connection(connection).cursor() as cursor:
            cursor.adapters.register_dumper(_FloatArray, _FloatArrayDumper)
            cursor.execute(
                _WRITE,
                (
                    *(model, flat, numbers, numbers),
                    [each.conversation_id for each in made],
                    [each.message_id for each in made],
                    [each.digest for each in made],
                    [each.vector is not None for each in made],
                    organization_id,
                ),
            )

    def read(
        self, connection: sa.Connection, within: Neighbourhood
    ) -> Generator[VectorChunk, None, None]:
        statement = within.select(_key_column(), sa.func.array_send(message_vectors.c.vector))
        options = {"stream_results": True, "yield_per": READ_AT_ONCE}
        with _executed(connection, statement, options) as result:
            for rows in result.partitions():
                yield _chunk(rows)

    def near(
        self, connection: sa.Connection, within: Neighbourhood, query: Any, most: int
    ) -> list[tuple[Any, float]] | None:
        extension = connection.exec_driver_sql(_EXTENSION).first()
        if extension is None:
            return None
        kind = f"{sql_name(extension[0])}.vector({query.shape[-1]})"
        asked = "[" + ",".join(map(str, query.ravel().tolist())) + "]"
        distance = (
            f"(message_vectors.vector::{kind}) OPERATOR({sql_name(extension[0])}.<=>)"
            f" '{asked}'::{kind}"
        )
        if (
            not within.by_message
            and self.index_bytes(connection, within.model) is not None
            and self._are_many(connection, within)
        ):
            found = self._by_index(connection, within, distance, most)
            if len(found) == most:
                return found
        # No index knows this order.
        return _by_distance(connection, within, distance, f"({distance}) + 0", most)

    def _by_index(
        self, connection: sa.Connection, within: Neighbourhood, distance: str, most: int
    ) -> list[tuple[Any, float]]:
        """Return about the nearest; the distances are exact, their order is made so."""
        # What is set inside ends with it: nothing else of the search is to run without sorts.
        inside = connection.begin_nested()
        try:
            for name, value in _ITERATIVE.items():
                connection.execute(sa.select(sa.func.set_config(name, value, sa.true())))
            found = _by_distance(connection, within, distance, distance, max(most, _OVER_FETCHED))
        finally:
            inside.rollback()
        return sorted(found, key=lambda each: -each[1])[:most]

    def places(self, connection: sa.Connection, keys: Sequence[Any]) -> list[Place]:  # noqa: ARG002
        return [(UUID(bytes=key[:_UUID]), UUID(bytes=key[_UUID:])) for key in keys]

    def index_bytes(self, connection: sa.Connection, model: str) -> int | None:
        row = connection.exec_driver_sql(_INDEX, (_index_name(model),)).first()
        return None if row is None or not row[3] else int(row[2])

    def build_index(self, database: "Database", model: str, numbers: int) -> None:
        name, literal = _index_name(model), "'" + model.replace("'", "''") + "'"
        with database.transaction() as connection:
            place = connection.exec_driver_sql(_EXTENSION).first()
            found = connection.exec_driver_sql(_INDEX, (name,)).first()
        _require(place, numbers)
        if place is None or (found is not None and found[3]):
            return
        # As `chatdb search-index rebuild` where there is a pooler: writers of vectors wait, and
        # those are only made here.
        with database.transaction(write=True, settings={"maintenance_work_mem": "256MB"}) as own:
            driver = driver_connection(own)
            driver.execute(f'DROP INDEX IF EXISTS "{name}"')
            driver.execute(
                f'CREATE INDEX "{name}" ON message_vectors USING hnsw'
                f" ((vector::{sql_name(place[0])}.vector({numbers}))"
                f" {sql_name(place[0])}.vector_cosine_ops) WHERE model = {literal}"
            )

    def drop_index(self, connection: sa.Connection, model: str) -> None:
        connection.exec_driver_sql(f'DROP INDEX IF EXISTS "{_index_name(model)}"')

    def _are_many(self, connection: sa.Connection, within: Neighbourhood) -> bool:
        some = within.select(message_vectors.c.message_id).limit(FEW + 1).subquery()
        counted = sa.select(sa.func.count()).select_from(some)
        return int(connection.execute(counted).scalar_one()) > FEW


class _FloatArray(bytes):
    """Little-endian numbers in single precision, for an array of PostgreSQL's."""


class _FloatArrayDumper(Dumper):
    format = Format.BINARY
    oid = _FLOAT_ARRAY

    def dump(self, obj: Any) -> Buffer:
        import numpy as np

        numbers = np.frombuffer(obj, dtype="<f4")
        items = np.empty(len(numbers), dtype=[("length", ">i4"), ("value", ">f4")])
        items["length"], items["value"] = 4, numbers
        return _HEADER.pack(1, 0, _FLOAT, len(numbers), 1) + items.tobytes()


def _key_column() -> Any:
    """Return the key of a chunk as bytes: making UUIDs of all takes too long."""
    v = message_vectors.c
    return sa.func.uuid_send(v.conversation_id).op("||")(sa.func.uuid_send(v.message_id))


def _executed(
    connection: sa.Connection, statement: sa.Select[Any], options: Mapping[str, Any]
) -> sa.CursorResult[Any]:
    """Run a statement by a cursor that gets binary values."""
    sa.event.listen(connection, "before_cursor_execute", _want_binary)
    try:
        return connection.execute(statement, execution_options=options)
    finally:
        sa.event.remove(connection, "before_cursor_execute", _want_binary)


def _want_binary(_connection: Any, cursor: Any, *_: Any) -> None:
    cursor.format = Format.BINARY


def _by_distance(
    connection: sa.Connection, within: Neighbourhood, distance: str, order: str, most: int
) -> list[tuple[Any, float]]:
    """Return the keys of the first `most` in an order, with their similarities."""
    key = _key_column()
    far: Any = sa.literal_column(distance, sa.Float)
    statement = within.select(key, far).order_by(sa.text(order)).limit(most)
    rows: Any = _executed(connection, statement, {})
    return [(key, 1 - far_away) for key, far_away in rows]


def _chunk(rows: Sequence[Any]) -> VectorChunk:
    import numpy as np

    keys, vectors = zip(*rows, strict=True)
    numbers = (common_length(vectors) - _HEADER.size) // 8
    item = np.dtype([("length", "V4"), ("value", ">f4")])
    row = np.dtype([("header", f"V{_HEADER.size}"), ("items", item, (numbers,))])
    found = np.frombuffer(b"".join(vectors), dtype=row)
    return VectorChunk(keys, found["items"]["value"].astype(np.float32))


def _index_name(model: str) -> str:
    return f"ix_message_vectors_near_{blake2b(model.encode(), digest_size=6).hexdigest()}"


def _require(place: Any, numbers: int) -> None:
    if place is None:
        raise UsageError(
            "there is no index on vectors without the extension pgvector in this database",
            hint="as a superuser: CREATE EXTENSION vector; or leave out --index: searches are"
            " exact without one",
        )
    if tuple(int(part) for part in str(place[1]).split(".")[:2]) < (0, 8):
        raise UsageError(
            f"pgvector {place[1]} cannot search an index on behalf of one tenant",
            hint="install 0.8 or newer, then: ALTER EXTENSION vector UPDATE",
        )
    if numbers > _MOST_INDEXED:
        raise UsageError(
            f"pgvector indexes vectors of {_MOST_INDEXED:,} numbers at most, these have"
            f" {numbers:,}",
            hint="leave out --index: searches are exact without one",
        )
