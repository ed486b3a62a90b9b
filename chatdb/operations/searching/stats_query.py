"""The one statement that `chatdb stats` counts with."""

from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from chatdb.db.contract.statistics import MessageSource, Statistics
from chatdb.db.schema import conversations
from chatdb.db.types import HyphenUuid, UtcTime
from chatdb.formats.times import EPOCH
from chatdb.store.columns import KINDS

LONGEST = 10
"""How many of the longest conversations are listed."""

TIME_KEYS = {"day": 10, "week": 10, "month": 7, "year": 4}
"""The groups that are times, with how much of a date their key is."""

_OF_MESSAGE = {"role": "m.role", "model": "m.model"}
_OF_CONVERSATION = {"user": "v.user_id", "source": "v.source", "kind": "v.kind"}
_JOIN_CONVERSATIONS = "JOIN conversations v ON v.organization_id = cells.o AND v.id = cells.c"
_JOIN_ORGANIZATIONS = "JOIN organizations v ON v.id = cells.o"

_STATEMENT = """
WITH cells AS MATERIALIZED (
  SELECT o, c, d, {local_hour} AS h, n, characters FROM (
    SELECT o, c, d, b, count(*) AS n, sum(length) AS characters FROM (
      SELECT m.organization_id AS o, m.conversation_id AS c, {dimension} AS d, {bucket} AS b,
             length(m.content) AS length
      FROM {source} WHERE {conditions} {read_barrier}
    ) AS some_messages GROUP BY o, c, d, b
  ) AS buckets
), parts AS (
  SELECT {key} AS key, o, c, sum(n) AS n, sum(characters) AS characters
  FROM cells {join} GROUP BY {key}, o, c
)
SELECT 'total', NULL, NULL, count(*), CAST(sum(n) AS bigint), CAST(sum(characters) AS bigint)
FROM (SELECT o, c, sum(n) AS n, sum(characters) AS characters FROM cells GROUP BY o, c) AS whole
UNION ALL
SELECT 'hour', {weekday}, {hour}, 0, CAST(sum(n) AS bigint), 0
FROM cells WHERE {day} <> :day_of_no_time GROUP BY {weekday}, {hour}
UNION ALL
SELECT * FROM (
  SELECT 'group', key, NULL, count(*), CAST(sum(n) AS bigint) AS n,
         CAST(sum(characters) AS bigint)
  FROM parts GROUP BY key ORDER BY {order} LIMIT :groups) AS first_groups
UNION ALL
SELECT * FROM (
  SELECT 'conversation', CAST(o AS text), CAST(c AS text), 1, CAST(sum(n) AS bigint) AS n,
         CAST(sum(characters) AS bigint) AS characters
  FROM cells GROUP BY o, c ORDER BY n DESC, characters DESC, o, c LIMIT :longest) AS longest
"""


def statement(
    ways: Statistics,
    source: MessageSource,
    *,
    by: str,
    timezone: str,
    organization: UUID | None,
    period: tuple[datetime | None, datetime | None],
    kinds: frozenset[str] | None,
    limit: int,
) -> sa.TextClause:
    """Return the statement; its rows are (section, first, second, conversations, messages,
    characters).

    `first` and `second` are the key of a group, weekday and hour, or organization and id of a
    conversation. The groups come in the order in which the limit applies; `period` is from a time
    to before another. Messages without any time have no hour.
    """
    since, until = period
    conditions: dict[str, sa.BindParameter[Any]] = {}
    if organization is not None:
        conditions["m.organization_id = :organization"] = sa.bindparam(
            "organization", organization, HyphenUuid
        )
    if since is not None:
        conditions["m.created_at >= :since"] = sa.bindparam("since", since, UtcTime)
    if until is not None:
        conditions["m.created_at < :until"] = sa.bindparam("until", until, UtcTime)
    key, join = _key(ways, by)
    texts = [*conditions, *([] if kinds is None else [_of_kinds(kinds)])]
    text = _STATEMENT.format(
        local_hour=ways.local_hour(timezone),
        dimension=_OF_MESSAGE.get(by, "0"),
        bucket=ways.bucket(timezone),
        source=source.text,
        conditions=" AND ".join(texts) or "1 = 1",
        read_barrier=ways.read_barrier,
        key=key,
        join=join,
        weekday=ways.weekday,
        hour=ways.hour,
        day=ways.day,
        order="key DESC" if by in TIME_KEYS else "n DESC, key",
    )
    values: dict[str, Any] = {
        "timezone": timezone,
        "groups": limit,
        "longest": LONGEST,
        "day_of_no_time": day_of_no_time(timezone).isoformat(),
        **source.values,
    }
    plain: list[sa.BindParameter[Any]] = [
        sa.bindparam(name, value) for name, value in values.items() if f":{name}" in text
    ]
    return sa.text(text).bindparams(*plain, *conditions.values())


def kinds_counted(
    connection: sa.Connection, kinds: frozenset[str] | None, organization: UUID | None
) -> frozenset[str] | None:
    """Return the kinds, None where all that is there is of them: then nothing need be compared."""
    if kinds is None or "chat" not in kinds:
        return kinds
    c = conversations.c
    others = sa.select(c.id).where(c.kind != sa.literal_column("'chat'"), c.kind.not_in(kinds))
    if organization is not None:
        others = others.where(c.organization_id == organization)
    return kinds if connection.execute(others.limit(1)).first() is not None else None


def _of_kinds(kinds: frozenset[str]) -> str:
    """Return the condition on messages; few conversations are no chats, and they have an index."""
    has_chats = "chat" in kinds
    names = ", ".join(f"'{kind}'" for kind in KINDS if (kind in kinds) is not has_chats)
    among = (
        "(SELECT organization_id, id FROM conversations"
        f" WHERE kind <> 'chat' AND kind IN ({names}))"
    )
    negated = "NOT " if has_chats else ""
    return f"(m.organization_id, m.conversation_id) {negated}IN {among}"


def day_of_no_time(timezone: str) -> date:
    """Return the day on which messages without any time at all would seem to be."""
    return EPOCH.astimezone(ZoneInfo(timezone)).date()


def _key(ways: Statistics, by: str) -> tuple[str, str]:
    """Return the expression of a group's key over the cells, and the join that it needs."""
    if by == "organization":
        return "v.key", _JOIN_ORGANIZATIONS
    if by in _OF_CONVERSATION:
        return _OF_CONVERSATION[by], _JOIN_CONVERSATIONS
    if by in _OF_MESSAGE:
        return "d", ""
    return {"day": ways.day, "week": ways.week, "month": ways.month, "year": ways.year}[by], ""
