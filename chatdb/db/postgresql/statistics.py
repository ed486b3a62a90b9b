"""Counting all messages on PostgreSQL."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import sqlalchemy as sa

from chatdb.db.contract.statistics import MessageSource, Statistics, StoredObject
from chatdb.db.schema import TABLE_NAMES

_STORAGE = """
SELECT c.relname, c.relname, 'table', pg_table_size(c.oid),
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s)
UNION ALL
SELECT c.relname, i.relname, 'index', pg_relation_size(i.oid), NULL
FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relname = ANY(%s)
ORDER BY 4 DESC, 2
"""


class PostgresqlStatistics(Statistics):
    """Local hours by AT TIME ZONE, samples by TABLESAMPLE SYSTEM."""

    settings: ClassVar[Mapping[str, str]] = {"jit": "off"}
    read_barrier = ""
    day = "to_char(h, 'YYYY-MM-DD')"
    week = "to_char(date_trunc('week', h), 'YYYY-MM-DD')"
    month = "to_char(h, 'YYYY-MM')"
    year = "to_char(h, 'YYYY')"
    weekday = "CAST(extract(isodow FROM h) AS text)"
    hour = "CAST(extract(hour FROM h) AS text)"

    def bucket(self, timezone: str) -> str:  # noqa: ARG002 - it is bound
        return "date_trunc('hour', m.created_at AT TIME ZONE CAST(:timezone AS text))"

    def local_hour(self, timezone: str) -> str:  # noqa: ARG002 - the bucket is one
        return "b"

    @contextmanager
    def reading(
        self,
        connection: sa.Connection,  # noqa: ARG002 - psycopg minds Ctrl-C itself
        timezone: str,  # noqa: ARG002 - the server knows its zones
    ) -> Iterator[None]:
        yield

    def all_messages(self, *, filtered: bool) -> MessageSource:  # noqa: ARG002 - the planner decides
        return MessageSource("messages m")

    def sample(self, connection: sa.Connection, rows: int) -> MessageSource:
        plan = connection.exec_driver_sql("EXPLAIN (FORMAT JSON) SELECT FROM messages").scalar_one()
        share = rows / max(int(plan[0]["Plan"]["Plan Rows"]), 1)
        if share >= 1:
            return MessageSource("messages m")
        percent = {"percent": 100 * share}
        return MessageSource(
            # SYSTEM reads only the chosen pages, BERNOULLI all of them;
            # REPEATABLE gives the same twice.
            "messages m TABLESAMPLE SYSTEM (CAST(:percent AS real)) REPEATABLE (1)",
            factor=1 / share,
            values=percent,
        )

    def storage(self, connection: sa.Connection) -> list[StoredObject] | None:
        names = sorted(TABLE_NAMES)
        return [
            StoredObject(table=table, name=name, kind=kind, bytes=size, rows=rows)
            for table, name, kind, size, rows in connection.exec_driver_sql(
                _STORAGE, (names, names)
            )
        ]
