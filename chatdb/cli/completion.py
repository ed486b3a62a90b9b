"""What the shell offers for a word that is being typed.

A shell shows what it is given, and zsh evaluates it: values with unusual characters are left out,
and titles keep letters, digits and blanks only. Nothing is ever printed beside, and who takes too
long offers nothing.
"""

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from chatdb.config import Config
    from chatdb.db.url import DatabaseUrl

Offered = list[tuple[str, str]]
"""Words, and what they mean to people."""

_SECONDS = 1.5
"""How long a prompt may wait: without a server psycopg would try for ten seconds."""
_PLAIN = re.compile(r"[\w.@+-]+")
_MOST = 50
_SHORT = 8


def formats_read(incomplete: str) -> Offered:
    """Offer the formats and layouts that `--from` takes."""
    return _starting(incomplete, _formats(reads=True))


def formats_written(incomplete: str) -> Offered:
    """Offer the formats and layouts that `--to` takes."""
    return _starting(incomplete, _formats(reads=False))


def roles(incomplete: str) -> Offered:
    """Offer the roles of messages."""
    from chatdb.records import ROLES

    return _starting(incomplete, [(role, "") for role in ROLES])


def settings_of_the_user(incomplete: str) -> Offered:
    """Offer the settings of the user's own file."""
    from chatdb.user_file import SETTINGS

    return _starting(incomplete, [(name, "") for name in SETTINGS])


def organizations(context: typer.Context, incomplete: str) -> Offered:
    """Offer the organizations' keys with their names."""

    def look(config: "Config", url: "DatabaseUrl") -> Offered:
        from chatdb.db.names_at_hand import organization_keys

        return organization_keys(url, schema=_schema(config), organization_id=_organization(config))

    return _starting(incomplete, _from_database(context, look))


def conversations(context: typer.Context, incomplete: str) -> Offered:
    """Offer the newest conversations: the ends of their ids, and full ids once one is begun."""

    def look(config: "Config", url: "DatabaseUrl") -> Offered:
        from chatdb.db.names_at_hand import newest_conversations

        return newest_conversations(
            url, schema=_schema(config), organization_id=_organization(config)
        )

    found = _from_database(context, look)
    ends = [(identifier.replace("-", "")[-_SHORT:], title) for identifier, title in found]
    offered = _starting(incomplete, [("last", "the one updated last"), *ends])
    return offered or _starting(incomplete, found)


def backups(context: typer.Context, incomplete: str) -> Offered:
    """Offer the backups in the configured folder, newest first; no object store is asked."""

    def look(config: "Config", _url: "DatabaseUrl") -> Offered:
        from chatdb.backups.names import MANIFEST
        from chatdb.backups.store import folder_of

        folder = folder_of(config.backup.url.value)
        manifests = [] if folder is None else folder.glob(f"*{MANIFEST}")
        names = (path.name.removesuffix(MANIFEST) for path in manifests)
        return [(name, "") for name in sorted(names, reverse=True)]

    return _starting(incomplete, [("latest", "the newest"), *_from_database(context, look)])


def _formats(*, reads: bool) -> Offered:
    from chatdb.formats.registry import FORMATS
    from chatdb.layouts.recognising import systems

    files = [(each.name, each.title) for each in FORMATS if (each.reads if reads else each.writes)]
    known = {name for name, _ in files}
    return [
        *files,
        *(
            (each.name, each.title)
            for each in systems()
            if (reads or each.writes) and each.name not in known
        ),
    ]


def _starting(incomplete: str, offered: Offered) -> Offered:
    return [
        (word, _plain(meaning))
        for word, meaning in offered
        if word.startswith(incomplete) and _PLAIN.fullmatch(word)
    ][:_MOST]


def _plain(text: str) -> str:
    """Return the letters, digits and blanks of a text, which mean nothing to any shell."""
    shown = "".join(each if each.isalnum() or each in " .,-" else " " for each in text[:200])
    return " ".join(shown.split())[:60]


def _from_database(
    context: typer.Context, look: "Callable[[Config, DatabaseUrl], Offered]"
) -> Offered:
    """Return what `look` finds in time, nothing if anything is wrong."""
    from chatdb.primitives.in_time import in_time

    # The global options that stand before the word; none is an object of its own yet.
    typed = context.find_root().obj

    def found() -> Offered:
        # Whatever it is, a traceback in the middle of a command line helps nobody.
        with suppress(Exception):
            return look(*_settings(typed))
        return []

    return in_time(found, _SECONDS) or []


def _settings(typed: Any) -> "tuple[Config, DatabaseUrl]":
    from chatdb import config as settings
    from chatdb.db.url import parse_url

    names = ("database_url", "schema", "org")
    config = settings.load(**{name: getattr(typed, name, None) for name in names})
    settings.export_libpq(config)
    return config, parse_url(config.database_url.value)


def _schema(config: "Config") -> str | None:
    return None if config.schema is None else config.schema.value


def _organization(config: "Config") -> Any:
    from chatdb.records import organization_id_of

    return organization_id_of(config.org.value)
