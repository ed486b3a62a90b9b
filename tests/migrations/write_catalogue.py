"""Write migrations/catalogue/*.json anew: `python -m tests.migrations.write_catalogue`.

PostgreSQL is a throw-away server of the wheel, as in the tests.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from chatdb.db.contract.migration import CatalogueEntry
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.migrating.scripts import head_revision, migrations_directory
from chatdb.db.url import DatabaseUrl
from tests import postgres_server


def catalogue_text(entries: Sequence[CatalogueEntry]) -> str:
    """Return the file's text for these entries: a line each."""
    lines = ",\n  ".join(
        json.dumps([entry.kind, entry.table, entry.name, entry.definition], ensure_ascii=False)
        for entry in entries
    )
    return f'{{"revision": "{head_revision()}", "entries": [\n  {lines}\n]}}\n'


def live_catalogue(url: DatabaseUrl) -> str:
    """Return the text of the catalogue file that fits the database."""
    with Database.open(url) as database, database.transaction() as connection:
        return catalogue_text(database.dialect.migration_ways().catalogue(connection))


def _write(url: DatabaseUrl) -> None:
    with Database.open(url, create=True) as database:
        upgrade(database)
    target = migrations_directory() / "catalogue" / f"{url.dialect_name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(live_catalogue(url), encoding="utf-8")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="chatdb-catalogue-"))
    folder.chmod(0o777)
    try:
        _write(DatabaseUrl(dialect_name="sqlite", path=folder / "scratch.db"))
        server = postgres_server.running_server(folder, None)
        with server.new_database() as url:
            _write(url)
    finally:
        postgres_server.stop(folder)


if __name__ == "__main__":
    main()
