#!/bin/sh
# What the entry point of the official PostgreSQL image does, for the stand-in of the tests: root hands over to
# postgres; an empty PGDATA is initialised, with a temporary server on the socket only; then PostgreSQL itself.
set -eu

[ "${1:-}" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    find "$PGDATA" ! -user postgres -exec chown postgres {} +
    exec setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    # From 18 on the image refuses a volume of the older layout, where its own PGDATA is used.
    if [ "$PGDATA" = "/var/lib/postgresql/$PG_MAJOR/docker" ]; then
        for folder in /var/lib/postgresql /var/lib/postgresql/data /var/lib/postgresql/*/docker; do
            if [ -s "$folder/PG_VERSION" ]; then
                echo "Error: there appears to be PostgreSQL data in: $folder" >&2
                exit 1
            fi
        done
    fi
    user="${POSTGRES_USER:-postgres}"
    database="${POSTGRES_DB:-$user}"
    secret="$(mktemp)"
    printf '%s\n' "$POSTGRES_PASSWORD" > "$secret"
    # shellcheck disable=SC2086
    initdb --no-sync --username="$user" --pwfile="$secret" ${POSTGRES_INITDB_ARGS:-}
    rm -f "$secret"
    printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" "$PGDATA/postgresql.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -c fsync=off -p 5432" -w start
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE :"db";\n' | psql -v ON_ERROR_STOP=1 -v db="$database" -U "$user" -d postgres
    fi
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo "PostgreSQL init process complete; ready for start up."
else
    echo "PostgreSQL Database directory appears to contain a database; Skipping initialization"
fi
exec "$@"
