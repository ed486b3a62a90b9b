#!/usr/bin/env bash
# SQLite: ALTER TABLE DROP COLUMN in a file that has a broken view of another table.
#
# Most expect: DROP COLUMN fails where an index, a trigger or a view uses the column; what has nothing to do with the
#   table is not looked at. A view is only resolved when it is read.
# What happens: a view that no longer resolves, of whatever table, makes DROP COLUMN of every column of every table fail
#   ("error in view ..."). ADD COLUMN goes through. A migration that drops a column fails on the
#   files of those users who have a forgotten view.
# Seen with: SQLite 3.54.1 (apsw 3.54.1.0), 2026-11-30.
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apsw==3.54.1.0

cat > "$folder/look.py" <<'PYTHON'
import sys

import apsw

connection = apsw.Connection(":memory:")
connection.execute("CREATE TABLE talks (id INTEGER PRIMARY KEY, title TEXT, mood TEXT)")
connection.execute("CREATE TABLE others (id INTEGER PRIMARY KEY)")
connection.execute("CREATE VIEW forgotten AS SELECT id FROM others")


def outcome(statement):
    try:
        connection.execute(statement)
    except apsw.SQLError as error:
        return str(error)
    return "done"


drop = "ALTER TABLE talks DROP COLUMN mood"
connection.execute("DROP TABLE others")
broken = outcome(drop)
added = outcome("ALTER TABLE talks ADD COLUMN colour TEXT")
connection.execute("DROP VIEW forgotten")
without = outcome(drop)
print(f"SQLite {apsw.sqlite_lib_version()}")
print(f"beside a broken view of another table: DROP COLUMN: {broken}; ADD COLUMN: {added}")
print(f"without that view: DROP COLUMN: {without}")
sys.exit((broken.startswith("error in view forgotten"), added, without) != (True, "done", "done"))
PYTHON
"$folder/venv/bin/python" "$folder/look.py"
echo "as described"
