"""What `chatdb doctor --fix` fixes: only what is safe, loses nothing and needs no choice."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from chatdb.db.connect import connect_sqlite
from chatdb.db.database import Database
from chatdb.db.migrating.revision import translated
from chatdb.db.url import DatabaseUrl
from chatdb.operations.doctor.findings import Finding, Severity
from chatdb.operations.doctor.machine import Settings
from chatdb.operations.searching.public import rebuild_search_index
from chatdb.primitives.watch import Watch

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """One possible fix: `id` is the finding's, `text` says what will be done.

    `run` does it and returns what was done; it raises ChatdbError, OSError.
    """

    id: str
    text: str
    run: Callable[[Watch], str]


def mends_of(findings: Sequence[Finding], settings: Settings) -> tuple[Mend, ...]:
    """Return the fixes for findings that are warnings or errors."""
    if settings.url is None:
        return ()
    bad = {each.id for each in findings if each.severity.rank >= Severity.WARNING.rank}
    makers = {name: make for name, make in _MAKERS.items() if name in bad}
    return tuple(mend for make in makers.values() for mend in make(settings, settings.url))


def _search_index(settings: Settings, url: DatabaseUrl) -> Iterator[Mend]:
    def run(watch: Watch) -> str:
        with Database.open(url, schema=settings.schema, direct_url=settings.direct_url) as database:
            rebuild_search_index(database, watch)
        return "rebuilt the full-text index"

    yield Mend(id="search-index", text="rebuild the full-text index", run=run)


def _file_rights(_settings: Settings, url: DatabaseUrl) -> Iterator[Mend]:
    path = url.sqlite_path
    mode = stat.S_IMODE(path.stat().st_mode)
    if path.stat().st_uid != os.geteuid() or not mode & _OTHERS:
        return
    mine = mode & ~_OTHERS

    def run(_watch: Watch) -> str:
        path.chmod(mine)
        return f"only its owner can access {path} now (mode {mine:o})"

    text = f"remove other users' permissions on {path} (mode {mode:o} becomes {mine:o})"
    yield Mend(id="file-rights", text=text, run=run)


def _file_log(_settings: Settings, url: DatabaseUrl) -> Iterator[Mend]:
    def run(_watch: Watch) -> str:
        with translated(url), closing(connect_sqlite(url)) as connection:
            is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            return "a reader uses the write-ahead log: it could not be moved into the file"
        return "moved the write-ahead log into the file"

    yield Mend(id="file-log", text="move the write-ahead log into the file", run=run)


_MAKERS: dict[str, Callable[[Settings, DatabaseUrl], Iterator[Mend]]] = {
    "file-rights": _file_rights,
    "file-log": _file_log,
    "search-index": _search_index,
}
"""By the id of the finding, in the order in which they are applied."""
