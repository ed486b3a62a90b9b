"""Vectors of messages on SQLite: bytes in a table, read whole and compared outside."""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

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
from chatdb.db.schema import message_vectors
from chatdb.errors import UsageError

if TYPE_CHECKING:
    from chatdb.db.database import Database

_ROWID: Any = sa.literal_column("message_vectors.rowid", sa.Integer)
_AT_ONCE = 500
_WRITE = """
INSERT INTO message_vectors
  (organization_id, conversation_id, message_id, model, digest, vector)
SELECT organization_id, conversation_id, id, ?, ?, ? FROM messages
WHERE organization_id = ? AND conversation_id = ? AND id = ?
ON CONFLICT (organization_id, conversation_id, message_id, model)
DO UPDATE SET digest = excluded.digest, vector = excluded.vector
"""


class SqliteVectors(VectorStore):
    """Compares every vector: SQLite has no index on them."""

    def write(
        self,
        connection: sa.Connection,
        organization_id: UUID,
        model: str,
        made: Sequence[MadeVector],
    ) -> None:
        organization = str(organization_id)
        driver_connection(connection).executemany(
            _WRITE,
            [
                (
                    *(model, each.digest, each.vector),
                    *(organization, str(each.conversation_id), str(each.message_id)),
                )
                for each in made
            ],
        )

    def read(
        self, connection: sa.Connection, within: Neighbourhood
    ) -> Generator[VectorChunk, None, None]:
        vector = message_vectors.c.vector
        with connection.execute(within.select(_ROWID, vector)) as result:
            # The driver's rows, and short keys: those of the table take longer than to compare.
            cursor: Any = result.cursor
            while rows := cursor.fetchmany(READ_AT_ONCE):
                keys, vectors = zip(*rows, strict=True)
                yield VectorChunk(keys, _matrix(vectors))

    def places(self, connection: sa.Connection, keys: Sequence[Any]) -> list[Place]:
        v = message_vectors.c
        found: dict[Any, Place] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            statement = sa.select(_ROWID, v.conversation_id, v.message_id).where(_ROWID.in_(some))
            found |= {row[0]: (row[1], row[2]) for row in connection.execute(statement)}
        return [found[key] for key in keys]

    def near(
        self,
        connection: sa.Connection,  # noqa: ARG002 - SQLite itself compares no vectors
        within: Neighbourhood,  # noqa: ARG002
        query: Any,  # noqa: ARG002
        most: int,  # noqa: ARG002
    ) -> list[tuple[Any, float]] | None:
        return None

    def index_bytes(self, connection: sa.Connection, model: str) -> int | None:  # noqa: ARG002
        return None

    def build_index(self, database: "Database", model: str, numbers: int) -> None:  # noqa: ARG002
        raise UsageError(
            "SQLite has no index on vectors: every search compares them all, exactly",
            hint="leave out --index",
        )

    def drop_index(self, connection: sa.Connection, model: str) -> None:
        """There is none."""


def _matrix(vectors: Sequence[bytes]) -> Any:
    import numpy as np

    numbers = common_length(vectors) // 4
    return np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), numbers)
