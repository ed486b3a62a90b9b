"""The figures of a database on one screen, and how long each may take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from chatdb.db.migrating.revision import Look

COUNTED_ROWS = 100_000
"""Up to this many rows are counted; larger tables are estimated."""

FIGURE_SECONDS = 1.0
"""How long one figure may take."""

LOCK_SECONDS = 0.3
"""How long to wait for a table that another session has locked."""

READABLE = ("current", "behind", "ahead")
"""States of the schema in which the tables are chatdb's."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How many rows a table has; `estimated` if there are too many to count quickly."""

    rows: int
    estimated: bool = False


@dataclass(slots=True, kw_only=True)
class Overview:
    """The figures; None and missing keys could not be read, for the reasons in `notes`.

    `size` is in bytes, `amounts` by table, `days` (UTC) have messages by their time. With
    `row_security` only rows of one organization were seen.
    """

    look: Look
    version: str | None = None
    size: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    amounts: dict[str, Amount] = field(default_factory=dict)
    row_security: bool = False
    newest_message_at: datetime | None = None
    days: dict[date, int] | None = None
    notes: list[str] = field(default_factory=list)
