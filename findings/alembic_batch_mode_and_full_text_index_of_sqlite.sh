#!/usr/bin/env bash
# Alembic: batch mode on a SQLite table that has a full-text index with external content (FTS5).
#
# Most expect: after batch_alter_table the index still finds the rows, or the migration says that it does not.
# What happens: batch mode copies the rows into a new table. Where the table's primary key is not an INTEGER, the copy
#   numbers the implicit rowid anew, without the gaps of deleted rows; the index refers to the old numbers. A search then
#   answers with other rows than those that hold the word, and the triggers that kept the index are gone. No error.
#   The index's own check with the content (`INSERT INTO index(index, rank) VALUES ('integrity-check', 1)`) tells.
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
from sqlalchemy import Text, create_engine, text
from sqlalchemy.exc import DatabaseError

warnings.simplefilter("error")
SEARCH = "SELECT content FROM notes WHERE rowid IN (SELECT rowid FROM found WHERE found MATCH 'pear')"

engine = create_engine("sqlite://")
with engine.begin() as connection:
    for statement in (
        "CREATE TABLE notes (id TEXT PRIMARY KEY, content TEXT)",
        "CREATE VIRTUAL TABLE found USING fts5(content, content='notes')",
        "CREATE TRIGGER kept AFTER INSERT ON notes BEGIN"
        " INSERT INTO found (rowid, content) VALUES (new.rowid, new.content); END",
        "CREATE TRIGGER kept_less AFTER DELETE ON notes BEGIN"
        " INSERT INTO found (found, rowid, content) VALUES ('delete', old.rowid, old.content); END",
        "INSERT INTO notes VALUES ('a', 'apple'), ('b', 'pear'), ('c', 'plum')",
        "DELETE FROM notes WHERE id = 'a'",
    ):
        connection.execute(text(statement))
    before = connection.execute(text(SEARCH)).scalars().all()
with engine.begin() as connection:
    with Operations(MigrationContext.configure(connection)).batch_alter_table("notes") as batch:
        batch.alter_column("content", existing_type=Text(), nullable=False)
with engine.connect() as connection:
    after = connection.execute(text(SEARCH)).scalars().all()
    triggers = connection.execute(text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")).scalar()
    try:
        connection.execute(text("INSERT INTO found (found, rank) VALUES ('integrity-check', 1)"))
        check = "passes"
    except DatabaseError as error:
        check = f"fails: {error.orig}"
print(f"SQLite {sqlite3.sqlite_version}: a search for 'pear' found {before} before and finds {after} after;"
      f" triggers left: {triggers}; integrity-check {check}")
sys.exit((before, after, triggers, check == "passes") != (["pear"], ["plum"], 0, False))
PYTHON
"$folder/venv/bin/python" "$folder/look.py"
echo "as described"
