"""Write migrations/catalogue.json anew: `python -m tests.migrations.write_catalogue`.

PostgreSQL is a throw-away server of the wheel, as in the tests.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from chatdb.db.contract.migration import CatalogueEntry
from chatdb.db.database import Database
from chatdb.db.migrating.catalogue import catalogue_path, catalogue_text
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from tests import postgres_server


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
