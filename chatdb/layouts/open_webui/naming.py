"""The names of an Open WebUI installation's folders and tags, by their owners."""

from dataclasses import dataclass, field
from typing import Any

from chatdb.layouts.base import Context
from chatdb.layouts.foreign import ForeignDatabase, Row
from chatdb.layouts.tables import Catalogue, Table

_DEEPEST = 50
"""Folders above a folder that are named: a circle of them must end."""

Key = tuple[Any, Any]


@dataclass(slots=True)
class Names:
    """Folders with their parents, and tags; keys are owner and id."""

    folders: dict[Any, tuple[str, Any]] = field(default_factory=dict)
    tags: dict[Key, str] = field(default_factory=dict)

    def folder(self, identifier: Any) -> str | None:
        """Return the path of a folder: `Work / Fruit`; None for an unknown one."""
        path: list[str] = []
        while identifier in self.folders and len(path) < _DEEPEST:
            name, identifier = self.folders[identifier]
            path.append(name)
        return " / ".join(reversed(path)) or None

    def of_tags(self, owner: Any, identifiers: Any) -> list[str]:
        """Return the names of an owner's tags; an id without a name stands for itself."""
        known = identifiers if isinstance(identifiers, list) else []
        return [self.tags.get((owner, each), each) for each in known if isinstance(each, str)]


def tables_of_names(catalogue: Catalogue) -> list[Table]:
    """Return the tables that the names are in."""
    found = (catalogue.get(name) for name in ("folder", "tag"))
    return [each for each in found if each is not None and each.has("id", "user_id", "name")]


def names_in(foreign: ForeignDatabase, catalogue: Catalogue, context: Context) -> Names:
    """Read the names, and count their rows as parts of the chats that have them."""
    names = Names()
    for table in tables_of_names(catalogue):
        shown = [each for each in ("id", "user_id", "name", "parent_id") if table.has(each)]
        columns = ", ".join(foreign.expression(table, each) + f' AS "{each}"' for each in shown)
        for row in foreign.rows(f"SELECT {columns} FROM {foreign.place(table)}"):
            context.count(table.name, "merged")
            _add(names, table.name, row)
    return names


def _add(names: Names, table: str, row: Row) -> None:
    if table == "folder":
        names.folders[row["id"]] = str(row["name"]), row.get("parent_id")
    else:
        names.tags[row["user_id"], row["id"]] = str(row["name"])
