"""Putting another database in a database's place, and back: the one that was there is kept.

What is put there is made beside it first. Whatever happens in between, the database is what it
was, whole, or what was put there, whole.
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
"""What stands between the name of a database and the time until which it was in use."""

KEPT = "the database that is kept"
"""How it is called before it has a name."""

_STAMP = "%Y%m%dT%H%M%SZ"
_KEPT = re.compile(r"(?P<time>\d{8}T\d{6}Z)(?:_(?P<number>\d+))?")

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A database that was replaced at `kept_at`: its name on the server, or the file's path."""

    name: str
    kept_at: datetime
    bytes: int


class Replacement(ABC):
    """The place of one database: what is in it, and what was."""

    url: DatabaseUrl

    @abstractmethod
    def is_there(self) -> bool:
        """Tell whether there is a database in the place."""

    @abstractmethod
    def kept(self) -> list[Kept]:
        """Return what was in the place before, the oldest first."""

    @abstractmethod
    def require_rights(self) -> None:
        """Return when this user may put a database there; raises RefusedError, StorageError."""

    @abstractmethod
    def require_alone(self) -> None:
        """Return when nobody else uses the database; raises RefusedError that names them."""

    def bound(self) -> list[BoundObject]:
        """Return what is bound to the database that is there, not to its name."""
        return []

    def require_unbound(self) -> None:
        """Return when there is none; raises RefusedError that tells what becomes of each."""
        if bound := self.bound():
            lines = [f"  {each.becomes(KEPT)}" for each in bound]
            raise RefusedError(
                "\n".join([f"{self.url.redacted()} has more than its name:", *lines]),
                hint="end these first, or let that become of them: add --force",
            )

    @abstractmethod
    def new(self) -> AbstractContextManager[DatabaseUrl]:
        """Make a database beside the place, empty; it is removed at the end unless it was put.

        On SQLite it is a file without a byte in it.
        """

    @abstractmethod
    def put(self, new: DatabaseUrl, *, force: bool) -> Kept | None:
        """Put a database made by `new` into the place; return the one that was there.

        Owner, rights, comment and settings of the place stay. `force` ends the sessions of who is
        connected to a server, rolls prepared transactions back, and leaves what is bound to the
        database with it. Raises RefusedError that names them else.
        """

    @abstractmethod
    def put_back(self, kept: Kept, *, force: bool) -> Kept | None:
        """Put what was kept back into its place, as it was; return the one that was there."""

    @abstractmethod
    def drop_kept(self, name: str) -> None:
        """Remove what is kept under a name for good; raises NotFoundError, RefusedError."""

    def find_kept(self, name: str | None) -> Kept:
        """Return what was kept under a name, the newest without one; raises NotFoundError."""
        found = self.kept()
        for each in reversed(found):
            if name is None or each.name == name:
                return each
        names = ", ".join(each.name for each in found[-5:])
        raise NotFoundError(
            f"nothing that a restore replaced is kept beside {self.url.redacted()}"
            if name is None or not found
            else f"no database {name} is kept",
            hint=f"there are: {names}" if names else None,
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
    """Return a time and number for the end of a name that nothing has yet."""
    stamp = datetime.now(UTC).strftime(_STAMP)
    number = 1
    while is_taken(mark := stamp + (f"_{number}" if number > 1 else "")):
        number += 1
    return mark
