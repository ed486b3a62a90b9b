"""Write migrations/catalogue.json anew: `python -m tests.migrations.write_catalogue`.

PostgreSQL is a throw-away server of the wheel, as in the tests.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from chatdb.db.contract.migration import CatalogueEntry
from chatdb.db.database import Database
from chatdb.db.migrating.catalogue import catalogue_path
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.migrating.scripts import head_revision
from chatdb.db.url import DatabaseUrl, DialectName
from tests import postgres_server


def catalogue_text(catalogues: Mapping[DialectName, Sequence[CatalogueEntry]]) -> str:
    """Return the file's text for the entries of each database: a line each."""
    text = f'{{"revision": "{head_revision()}"'
    for name, entries in catalogues.items():
        lines = ",\n  ".join(
            json.dumps([entry.kind, entry.table, entry.name, entry.definition], ensure_ascii=False)
            for entry in entries
        )
        text += f', "{name}": [\n  {lines}\n]'
    return text + "}\n"


def _migrated(url: DatabaseUrl) -> Sequence[CatalogueEntry]:
    with Database.open(url, create=True) as database:
        upgrade(database)
        with database.transaction() as connection:
            return list(database.dialect.migration_ways().catalogue(connection))


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="chatdb-catalogue-"))
    folder.chmod(0o777)
    try:
        sqlite = _migrated(DatabaseUrl(dialect_name="sqlite", path=folder / "scratch.db"))
        server = postgres_server.running_server(folder, None)
        with server.new_database() as url:
            postgresql = _migrated(url)
        text = catalogue_text({"sqlite": sqlite, "postgresql": postgresql})
        catalogue_path().write_text(text, encoding="utf-8")
    finally:
        postgres_server.stop(folder)


if __name__ == "__main__":
    main()
