#!/usr/bin/env bash
# Alembic: batch mode on a SQLite connection that enforces foreign keys.
#
# Most expect: batch_alter_table changes a column of the parent table and leaves the rows of the child table alone; a
#   migration that would break a foreign key fails.
# What happens: batch mode copies the parent, drops it and renames the copy. With `PRAGMA foreign_keys = ON`, which an
#   application that wants its constraints kept sets on each connection, the DROP first deletes the parent's rows, and
#   ON DELETE CASCADE deletes every row of the child. No error, no warning; the parent is whole.
#   With the pragma off the child keeps its rows.
# Seen with: Alembic 1.20.1, SQLAlchemy 2.1.9, SQLite 3.40.1, 2026-11-30.
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check alembic==1.20.1 sqlalchemy==2.1.9

cat > "$folder/look.py" <<'PYTHON'
import sqlite3
import sys
import warnings

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Text, create_engine, event, text

warnings.simplefilter("error")


def rows_after(foreign_keys):
    engine = create_engine("sqlite://")
    event.listen(engine, "connect", lambda connection, _: connection.execute(f"PRAGMA foreign_keys = {foreign_keys}"))
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE talks (id INTEGER PRIMARY KEY, title TEXT)",
            "CREATE TABLE words (id INTEGER PRIMARY KEY, talk INTEGER REFERENCES talks ON DELETE CASCADE)",
            "INSERT INTO talks VALUES (1, 'a'), (2, 'b')",
            "INSERT INTO words VALUES (1, 1), (2, 1), (3, 2)",
        ):
            connection.execute(text(statement))
    with engine.begin() as connection:
        with Operations(MigrationContext.configure(connection)).batch_alter_table("talks") as batch:
            batch.alter_column("title", existing_type=Text(), nullable=False)
    with engine.connect() as connection:
        return tuple(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() for table in ("talks", "words"))


print(f"SQLite {sqlite3.sqlite_version}; rows before: talks 2, words 3")
seen = {}
for foreign_keys in ("OFF", "ON"):
    seen[foreign_keys] = rows_after(foreign_keys)
    print("foreign_keys = {}: rows after: talks {}, words {}".format(foreign_keys, *seen[foreign_keys]))
sys.exit(seen != {"OFF": (2, 3), "ON": (2, 0)})
PYTHON
"$folder/venv/bin/python" "$folder/look.py"
echo "as described"
