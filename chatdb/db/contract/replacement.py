"""Replaces a database by another, and back: the replaced one is kept.

The new database is created beside it first. Whatever happens in between, the database is completely
the old or completely the new one.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from chatdb.db.bound_objects import BoundObject
from chatdb.db.url import DatabaseUrl
from chatdb.errors import NotFoundError, RefusedError

MARK = "_before_restore_"
"""Between the name of a database and the time until which it was in use."""

KEPT = "the database that is kept"
"""Its name before it has one."""

_STAMP = "%Y%m%dT%H%M%SZ"
_KEPT = re.compile(r"(?P<time>\d{8}T\d{6}Z)(?:_(?P<number>\d+))?")

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptDatabase:
    """A database that was replaced at `kept_at`: its name on the server, or the file's path."""

    name: str
    kept_at: datetime
    bytes: int


class Replacement(ABC):
    """The place of one database: the current one, and those it replaced."""

    url: DatabaseUrl

    @abstractmethod
    def is_there(self) -> bool:
        """Tell whether there is a database in the place."""

    @abstractmethod
    def kept(self) -> list[KeptDatabase]:
        """Return the kept databases of the place, oldest first."""

    @abstractmethod
    def require_rights(self) -> None:
        """Return if this user may put a database there; raises RefusedError, StorageError."""

    @abstractmethod
    def require_alone(self) -> None:
        """Return if no other session uses the database; else raise RefusedError listing them."""

    def bound(self) -> list[BoundObject]:
        """Return what is bound to the current database, not to its name."""
        return []

    def require_unbound(self) -> None:
        """Return if there is none; raises RefusedError that says what happens to each."""
        if bound := self.bound():
            lines = [f"  {each.becomes(KEPT)}" for each in bound]
            raise RefusedError(
                "\n".join(
                    [f"{self.url.redacted()} has objects that do not follow its name:", *lines]
                ),
                hint="end these first, or accept this: add --force",
            )

    @abstractmethod
    def new(self) -> AbstractContextManager[DatabaseUrl]:
        """Create an empty database beside the place; it is dropped at the end unless it was put.

        On SQLite it is an empty file.
        """

    @abstractmethod
    def put(self, new: DatabaseUrl, *, force: bool) -> KeptDatabase | None:
        """Put a database created by `new` into the place; return the replaced one.

        Owner, privileges, comment and settings of the place stay. `force` ends other sessions on a
        server, rolls prepared transactions back, and leaves objects bound to the old database with
        it. Otherwise raises RefusedError listing them.
        """

    @abstractmethod
    def put_back(self, kept: KeptDatabase, *, force: bool) -> KeptDatabase | None:
        """Put a kept database back into its place unchanged; return the replaced one."""

    @abstractmethod
    def drop_kept(self, name: str) -> None:
        """Remove a kept database permanently; raises NotFoundError, RefusedError."""

    def find_kept(self, name: str | None) -> KeptDatabase:
        """Return the kept database of a name, the newest without one; raises NotFoundError."""
        found = self.kept()
        for each in reversed(found):
            if name is None or each.name == name:
                return each
        names = ", ".join(each.name for each in found[-5:])
        raise NotFoundError(
            f"no replaced database is kept for {self.url.redacted()}"
            if name is None or not found
            else f"no kept database has the name {name}",
            hint=f"existing ones: {names}" if names else None,
        )


def read_mark(text: str) -> tuple[datetime, int] | None:
    """Return the time and number at the end of a kept database's name."""
    match = _KEPT.fullmatch(text)
    if match is None:
        return None
    try:
        at = datetime.strptime(match["time"], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return at, int(match["number"] or 1)


def new_mark(is_taken: Callable[[str], bool]) -> str:
    """Return a time and number for the end of a name that is not in use yet."""
    stamp = datetime.now(UTC).strftime(_STAMP)
    number = 1
    while is_taken(mark := stamp + (f"_{number}" if number > 1 else "")):
        number += 1
    return mark
