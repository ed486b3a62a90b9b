"""The temporary organizations of a smoke test: created, removed without a trace."""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.types import HyphenUuid
from chatdb.operations.smoke_test.record import KEY, SmokeRecord, record_text
from chatdb.records import Organization, organization_id_of

NAME = "chatdb smoke test: it removes this itself"
OLD = timedelta(hours=1)
"""When the remains of a killed smoke test are removed: no test takes so long."""

_PREFIX = "smoke-test-"
_KEY = re.compile(rf"{_PREFIX}(?P<time>\d{{8}}T\d{{6}}Z)-[0-9a-f]{{8}}(?:-other)?")
_TIME = "%Y%m%dT%H%M%SZ"
_THEIRS = (
    *("message_vectors", "message_embeddings", "message_files", "files", "messages", "snapshots"),
    *("conversations", "tombstones"),
)
"""Tables with rows of an organization, in the order in which they are emptied."""
_CONDITIONS = {
    **dict.fromkeys(_THEIRS, "organization_id IN :ids"),
    "organizations": "id IN :ids",
    "chatdb_log": "kind = 'import' AND subject IN :keys",
}
"""Where rows of a smoke test may be, in this order."""
_KEEP = sa.text(
    "INSERT INTO chatdb_settings (key, value) VALUES (:key, :value)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


@dataclass(frozen=True, slots=True)
class Traces:
    """The keys of the two organizations that one smoke test works in."""

    own: str
    other: str

    @property
    def keys(self) -> tuple[str, str]:
        """Both keys."""
        return self.own, self.other


def new_traces(now: datetime) -> Traces:
    """Return keys that contain their creation time and are unique."""
    own = f"{_PREFIX}{now.astimezone(UTC):{_TIME}}-{secrets.token_hex(4)}"
    return Traces(own, f"{own}-other")


def organizations_of(traces: Traces, now: datetime) -> list[Organization]:
    """Return the records of the two organizations."""
    return [
        Organization(id=organization_id_of(key), key=key, name=NAME, created_at=now)
        for key in traces.keys
    ]


def remove(database: Database, keys: Iterable[str], *, settings: dict[str, str]) -> None:
    """Remove the organizations of these keys, everything of theirs, and their log entries."""
    wanted = list(keys)
    settings = {"chatdb.bulk": "on", **settings}
    with database.transaction(write=True, settings=settings) as connection:
        for table, condition in _CONDITIONS.items():
            statement = _bound(f"DELETE FROM {table} WHERE {condition}", condition, wanted)
            connection.execute(statement)


def rows_left(database: Database, traces: Traces) -> int:
    """Count the remains of a smoke test in every table."""
    counts = (
        f"(SELECT count(*) FROM {table} WHERE {condition})"
        for table, condition in _CONDITIONS.items()
    )
    statement = _bound(f"SELECT {' + '.join(counts)}", ":ids :keys", traces.keys)
    with database.transaction() as connection:
        rows: int = connection.execute(statement).scalar_one()
    return rows


def left_behind(database: Database, *, now: datetime) -> list[str]:
    """Return the keys that smoke tests of an hour ago and more have left, oldest first."""
    organizations, log = schema.organizations.c, schema.log.c
    named = sa.select(organizations.key, organizations.name).where(
        organizations.key.startswith(_PREFIX)
    )
    logged = sa.select(log.subject).where(log.kind == "import", log.subject.startswith(_PREFIX))
    with database.transaction() as connection:
        keys = {row.key for row in connection.execute(named) if row.name in (NAME, row.key)}
        keys |= set(connection.scalars(logged))
    return sorted(key for key in keys if is_old(key, now=now))


def is_old(key: str, *, now: datetime) -> bool:
    """Tell whether a key belongs to a smoke test that began at least an hour ago."""
    match = _KEY.fullmatch(key)
    if match is None:
        return False
    try:
        began = datetime.strptime(match["time"], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return False
    return now - began >= OLD


def keep_record(database: Database, record: SmokeRecord, *, settings: dict[str, str]) -> None:
    """Store the result of the smoke test, for `chatdb status`."""
    with database.transaction(write=True, settings=settings) as connection:
        connection.execute(_KEEP, {"key": KEY, "value": record_text(record)})


def _bound(text: str, names: str, keys: Sequence[str]) -> sa.TextClause:
    """Bind the keys, and the ids derived from them, where the text uses them."""
    ids = [organization_id_of(key) for key in keys]
    binds = (
        sa.bindparam("ids", ids, HyphenUuid, expanding=True),
        sa.bindparam("keys", list(keys), sa.Text, expanding=True),
    )
    return sa.text(text).bindparams(*(bind for bind in binds if f":{bind.key}" in names))
