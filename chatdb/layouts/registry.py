"""The layout of a name, and of a database by its tables."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import cast

from chatdb.errors import DatabaseFailedError, InvalidInputError, UsageError
from chatdb.layouts.base import Layout
from chatdb.layouts.foreign import ForeignDatabase
from chatdb.layouts.recognising import systems, unread_system
from chatdb.layouts.tables import Catalogue
from chatdb.layouts.writing import LayoutWriter

_HINT = "to list what can be read: chatdb formats; to choose a layout: --from NAME"
_SHOWN_TABLES = 8


@dataclass(frozen=True, slots=True)
class Recognised:
    """A layout and the schema of its tables."""

    layout: Layout
    schema: str
    catalogue: Catalogue


def is_layout(name: str) -> bool:
    """Tell whether a name is that of a layout."""
    return any(system.name == name for system in systems())


def is_written(name: str) -> bool:
    """Tell whether a name is that of a layout whose databases can be written."""
    return any(system.name == name and system.writes for system in systems())


def layout(name: str) -> Layout:
    """Return a layout by name; raises UsageError for an unknown one."""
    return cast("Layout", _part(name, "reading").layout)


def writer(name: str) -> type[LayoutWriter]:
    """Return the writer of a layout; raises UsageError for an unknown name."""
    return cast("type[LayoutWriter]", _part(name, "writing").writer)


def recognise(
    foreign: ForeignDatabase, *, name: str | None = None, schema: str | None = None
) -> Recognised:
    """Return whose tables they are; `name` and `schema` limit the search.

    Raises InvalidInputError for unknown tables, UsageError if several layouts match.
    """
    asked = systems() if name is None else [layout(name).system]
    found = [
        Recognised(layout(each.name), place, catalogue)
        for place, catalogue in foreign.catalogues().items()
        if schema is None or place == schema
        for each in asked
        if each.recognises(catalogue)
    ]
    if len(found) == 1:
        _check_rights(foreign, found[0])
        return found[0]
    if not found:
        raise _unknown(foreign, name, schema)
    candidates = ", ".join(_candidate(each) for each in found)
    raise UsageError(
        f"{foreign.name} matches more than one layout: {candidates}",
        hint="choose one: --from NAME, and --source-schema NAME for one of several schemas",
    )


def _check_rights(foreign: ForeignDatabase, found: Recognised) -> None:
    """Raise for a table that the user may not read: its contents would be missing silently."""
    closed = [table for table in found.layout.tables(found.catalogue) if table.is_closed]
    if closed:
        names = ", ".join(table.name for table in closed)
        places = ", ".join(map(foreign.place, closed))
        raise DatabaseFailedError(
            f"{foreign.name}: its user may not read {names}; nothing was read",
            hint=f"let the tables' owner run: GRANT SELECT ON {places} TO {foreign.url.user};",
        )


def _candidate(found: Recognised) -> str:
    return found.layout.system.name + (f" in the schema {found.schema}" if found.schema else "")


def _unknown(foreign: ForeignDatabase, name: str | None, schema: str | None) -> InvalidInputError:
    if schema is not None and schema not in foreign.catalogues():
        there = ", ".join(foreign.catalogues()) or "none"
        return InvalidInputError(
            f"{foreign.name} has no schema {schema} with another system's tables; existing ones: "
            f"{there}",
            hint="check --source-schema",
        )
    tables = [
        table
        for place, found in foreign.catalogues().items()
        if schema in (None, place)
        for table in found
    ]
    if not tables and foreign.chatdb_schemas:
        return InvalidInputError(
            f"{foreign.name} is one of chatdb's own databases",
            hint="copy it: chatdb copy SOURCE DESTINATION; or export from it and import the file",
        )
    if not tables:
        return InvalidInputError(f"{foreign.name} has no readable tables", hint=None)
    unread = next(filter(None, map(unread_system, foreign.catalogues().values())), None)
    if unread is not None and name is None:
        return InvalidInputError(
            f"{foreign.name} looks like {unread}'s database, which chatdb does not read yet",
            hint=_HINT,
        )
    shown = ", ".join(sorted(tables)[:_SHOWN_TABLES])
    more = len(tables) - _SHOWN_TABLES
    shown += f" and {more} more" if more > 0 else ""
    whose = "not a system chatdb recognises" if name is None else f"not a {name} database"
    return InvalidInputError(f"{foreign.name} is {whose}: its tables are {shown}", hint=_HINT)


def _part(name: str, part: str) -> ModuleType:
    """Import a file of a layout's folder."""
    if not is_layout(name):
        names = ", ".join(system.name for system in systems())
        raise UsageError(
            f"unknown database layout {name!r}; known ones: {names}",
            hint="to list them: chatdb formats",
        )
    return import_module(f"chatdb.layouts.{name.replace('-', '_')}.{part}")
