"""`restore --in-place`: the tables are those of the backup, or all of them what they were."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chatdb.backups.inventory import find
from chatdb.backups.reading import recognised
from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, DatabaseFailedError, DatabaseLockedError, RefusedError
from chatdb.operations.restoring.in_place import planned_in_place
from chatdb.operations.restoring.parts import Restored, RestoreOptions
from chatdb.operations.restoring.restore import planned_restore
from chatdb.servers.dump_programs import DumpPrograms
from tests.operations.restoring import (
    Silence,
    conversations_in,
    execute,
    fill,
    foreign_backup,
    plain_backup,
)
from tests.postgres_server import PostgresServer

InPlace = Callable[[Path], Restored]


@pytest.fixture
def filled(postgresql_url: DatabaseUrl) -> DatabaseUrl:
    """A database with three conversations that shares it with an application."""
    fill(postgresql_url)
    execute(postgresql_url, "CREATE SCHEMA app", "CREATE TABLE app.users AS SELECT 1 AS id")
    return postgresql_url


@pytest.fixture
def options(postgres: PostgresServer) -> RestoreOptions:
    return RestoreOptions(programs=DumpPrograms(os.environ, bindir=postgres.binaries))


@pytest.fixture
def in_place(filled: DatabaseUrl, options: RestoreOptions) -> InPlace:
    """Restore a file in place."""

    def restore(path: Path) -> Restored:
        backup = recognised(find(str(path), str(path.parent)))
        with planned_in_place(backup, filled, options, Silence(), lambda: backup) as planned:
            return planned.run()

    return restore


def test_no_second_set_of_tables_is_made_beside_those_of_another_schema(
    in_place: InPlace, filled: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = foreign_backup(filled, tmp_path, postgres)
    execute(filled, "ALTER SCHEMA public RENAME TO chat", "CREATE SCHEMA public")

    with pytest.raises(RefusedError, match=r"in the schema chat; .* in the schema public beside"):
        in_place(path)

    assert execute(filled, "SELECT to_regclass('public.messages')") == [(None,)]


@pytest.mark.parametrize("is_plain", [True, False])
def test_chatdbs_tables_are_replaced_and_the_others_stay(
    in_place: InPlace, filled: DatabaseUrl, postgres: PostgresServer, tmp_path: Path, is_plain: bool
) -> None:
    execute(filled, "INSERT INTO chatdb_settings (key, value) VALUES ('environment', 'staging')")
    make = plain_backup if is_plain else foreign_backup
    path = make(filled, tmp_path, postgres)
    execute(
        filled,
        "UPDATE chatdb_settings SET value = 'production' WHERE key = 'environment'",
        "DELETE FROM conversations",
        "UPDATE app.users SET id = 2",
        "CREATE TABLE public.more (id int)",
    )

    done = in_place(path)

    assert (done.conversations, done.messages) == (3, 6)
    assert done.saved is not None
    assert conversations_in(filled) == 3
    label = "SELECT value FROM chatdb_settings WHERE key = 'environment'"
    assert execute(filled, label) == [("production",)]
    assert execute(filled, "SELECT to_regclass('more')::text") == [("more",)]


def test_a_script_that_fails_or_has_too_few_rows_changes_nothing(
    in_place: InPlace, filled: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = plain_backup(filled, tmp_path, postgres, "--schema=public")
    whole = path.read_text()
    execute(filled, "DELETE FROM conversations WHERE title LIKE '% 3'")

    for text in (whole + "SELECT nothing_there;\n", whole + "DELETE FROM public.messages;\n"):
        path.write_text(text)
        with pytest.raises(DatabaseFailedError, match=r"nothing_there|has 0 rows, not 6"):
            in_place(path)
        assert conversations_in(filled) == 2


def test_a_table_of_the_application_that_hangs_on_it_stops_it(
    in_place: InPlace, filled: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = foreign_backup(filled, tmp_path, postgres)
    execute(filled, "CREATE VIEW app.mine AS SELECT id FROM public.conversations")

    with pytest.raises(ChatdbError, match=r"app\.mine|depend"):
        in_place(path)

    assert execute(filled, "SELECT count(*) FROM app.mine") == [(3,)]


def test_who_reads_is_waited_for_but_not_for_ever(
    in_place: InPlace,
    filled: DatabaseUrl,
    postgres: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatdb.operations.restoring.in_place._LOCK_WAIT", "200ms")
    path = foreign_backup(filled, tmp_path, postgres)

    with connect_postgresql(filled) as reader:
        reader.execute("SELECT * FROM messages").fetchall()
        with pytest.raises(DatabaseLockedError):
            in_place(path)

    assert conversations_in(filled) == 3


def test_without_the_right_to_make_databases_it_is_the_way(
    filled: DatabaseUrl, options: RestoreOptions, postgres: PostgresServer, tmp_path: Path
) -> None:
    role = f"poor_{filled.database}"
    execute(
        filled,
        f"CREATE ROLE {role} LOGIN PASSWORD 'abc'",
        f"GRANT ALL ON SCHEMA public TO {role}",
        "DROP SCHEMA app CASCADE",
    )
    poor = replace(filled, user=role, password="abc")
    path = foreign_backup(filled, tmp_path, postgres)  # of the owner that was
    backup = recognised(find(str(path), str(tmp_path)))
    tables = execute(
        filled,
        "SELECT format('ALTER %s public.%I OWNER TO', CASE relkind WHEN 'v' THEN 'VIEW' ELSE"
        " 'TABLE' END, relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'v')",
    )
    execute(filled, *(f"{statement} {role}" for (statement,) in tables))
    execute(filled, "DELETE FROM conversations")

    try:
        with (
            pytest.raises(RefusedError, match="may not create databases") as refused,
            planned_restore(backup, poor, options, Silence()),
        ):
            pass
        assert "--in-place" in str(refused.value.hint)
        with (
            pytest.raises(RefusedError, match=r"function chatdb_search_hits\(.*, of chatdb"),
            planned_in_place(backup, poor, options, Silence(), lambda: backup),
        ):
            pass
        for name in ("touch_conversations", "search_hits", "search_query", "search_text"):
            execute(filled, f"ALTER FUNCTION chatdb_{name} OWNER TO {role}")
        with planned_in_place(backup, poor, options, Silence(), lambda: backup) as planned:
            planned.run()

        assert conversations_in(poor) == 3
    finally:
        execute(filled, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_large_objects_are_those_of_the_backup_and_others_stay(
    in_place: InPlace, filled: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    role = f"keeper_{filled.database}"
    execute(
        filled,
        f"CREATE ROLE {role}",
        "SELECT lo_from_bytea(4242, 'hello blob'), lo_from_bytea(4243, 'gone since')",
        f"ALTER LARGE OBJECT 4242 OWNER TO {role}",
    )
    large = (
        "SELECT oid::int, convert_from(lo_get(oid), 'UTF8'), pg_get_userbyid(lomowner)"
        " FROM pg_largeobject_metadata ORDER BY 1"
    )
    there = execute(filled, large)

    try:
        for make in (foreign_backup, plain_backup):
            path = make(filled, tmp_path, postgres)
            execute(
                filled,
                "SELECT lo_put(4242, 0, 'altered'), lo_unlink(4243), lo_from_bytea(4244, 'new')",
            )
            in_place(path)

            assert execute(filled, large) == [*there, (4244, "new", "chatdb")]
            execute(filled, "SELECT lo_unlink(4244)")
    finally:
        execute(filled, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
