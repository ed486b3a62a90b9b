"""What a reader must not do while it reads: run code, start programs, load what is pickled."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl

_FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen")
_NAMED = "no_such_module"
"""How modules begin that values of the databases name."""
_seen: list[str] = []
_watching = [False]


def _hook(event: str, arguments: Any) -> None:
    if not _watching[0]:
        return
    if event.startswith(_FORBIDDEN) or (event == "import" and _NAMED in str(arguments[0])):
        _seen.append(event)


@contextmanager
def nothing_executed() -> Iterator[None]:
    """Fail if anything was run within the context; Python's own audit says so."""
    if not getattr(sys, "_chatdb_hook", False):
        sys.addaudithook(_hook)  # For the life of the process: it cannot be removed.
        sys._chatdb_hook = True  # type: ignore[attr-defined]
    _seen.clear()
    _watching[0] = True
    try:
        yield
    finally:
        _watching[0] = False
    assert _seen == []


def fingerprint(url: DatabaseUrl) -> str:
    """Return a digest of a file's bytes and of the names beside it, or of every row of a server's
    database."""
    digest = hashlib.sha256()
    if url.path is not None:
        for path in sorted(Path(url.path).parent.glob(f"{url.path.name}*")):
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()
    with connect_postgresql(url) as connection:
        tables = connection.execute(
            "SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace ORDER BY 1"
        ).fetchall()
        for (table,) in tables:
            statement = f"SELECT t.xmin::text, t::text FROM {table} t ORDER BY t.ctid"
            for row in connection.execute(statement.encode()):
                digest.update(repr(row).encode())
    return digest.hexdigest()
