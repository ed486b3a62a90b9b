"""`chatdb roles`: made with no more rights than needed, listed, dropped."""

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import ExitCode
from tests.cli.conftest import Run
from tests.postgres_server import PASSWORD, PostgresServer

pytestmark = pytest.mark.postgresql
Command = Callable[..., Any]


@pytest.fixture
def command(run: Command, postgresql_url: DatabaseUrl) -> Command:
    return lambda *words, **options: run("-d", postgresql_url.exposed(), *words, **options)


@pytest.fixture
def name(postgresql_url: DatabaseUrl, postgres: PostgresServer) -> Iterator[str]:
    """A name for a role of this test's own, which is gone afterwards."""
    role = f"It's {postgresql_url.database}\""
    yield role
    quoted = '"' + role.replace('"', '""') + '"'
    with connect_postgresql(postgresql_url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone():
            connection.execute(f"DROP OWNED BY {quoted}".encode())
            postgres.execute(f"DROP ROLE {quoted}")


def rows(answer: Any) -> Any:
    assert answer.exit_code == 0, answer.stderr
    return json.loads(answer.stdout)


def test_a_role_logs_in_with_the_password_that_was_shown_once(
    command: Command, name: str, postgresql_url: DatabaseUrl
) -> None:
    made = rows(command("roles", "create", "app", "--name", name, "--generate", "--format", "json"))
    again = command("roles", "create", "app", "--name", name, "--generate")
    listed = rows(command("roles", "list", "--format", "json"))

    with connect_postgresql(postgresql_url) as connection:
        [digest] = connection.execute(
            "SELECT rolpassword FROM pg_authid WHERE rolname = %s", (name,)
        ).fetchall()
    assert digest[0].startswith("SCRAM-SHA-256$")
    assert (made["name"], made["kind"], made["created"]) == (name, "app", True)
    owner, role = parse_url(postgresql_url.exposed()), parse_url(made["url"])
    assert role == replace(owner, user=name, password=made["password"])
    assert again.exit_code == ExitCode.REFUSED
    assert {row["name"]: (row["kind"], row["row_security"]) for row in listed} == {
        name: ("app", True),
        "chatdb": ("superuser", False),
    }
    with connect_postgresql(replace(postgresql_url, user=name, password=made["password"])) as own:
        row = own.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", (name,))
        assert row.fetchone() == (False, False)


def test_the_password_comes_from_a_file_or_goes_to_one(
    command: Command, name: str, postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    given, saved = tmp_path / "given", tmp_path / "saved"
    given.write_text(PASSWORD + "\nmore\n")

    made = command("roles", "create", "readonly", "--name", name, "--password-file", given)
    assert made.exit_code == 0
    assert PASSWORD not in made.stdout + made.stderr
    connect_postgresql(replace(postgresql_url, user=name, password=PASSWORD)).close()
    kept = command(
        *("roles", "create", "readonly", "--name", name, "--existing", "--save-password", saved)
    )

    assert kept.exit_code == 0
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    password = saved.read_text().strip()
    assert password not in kept.stdout + kept.stderr
    connect_postgresql(replace(postgresql_url, user=name, password=password)).close()


def test_a_password_on_standard_input(
    command: Command, name: str, postgresql_url: DatabaseUrl
) -> None:
    words = ("roles", "create", "app", "--name", name, "--password-file", "-")

    assert command(*words, input="").exit_code == ExitCode.USAGE
    assert command(*words, input="short\n").exit_code == ExitCode.USAGE
    assert command(*words, input="pässwörd 漢字\n").exit_code == 0
    connect_postgresql(replace(postgresql_url, user=name, password="pässwörd 漢字")).close()


def test_a_password_is_asked_for_twice_and_not_shown(
    run_on_terminal: Run, name: str, postgresql_url: DatabaseUrl
) -> None:
    answer = run_on_terminal(
        *("-d", postgresql_url.exposed(), "roles", "create", "app", "--name", name),
        keys="a secret password\na secret password\n",
        prompt="Password for",
    )

    assert answer.exit_code == 0, answer.stdout
    assert "a secret" not in answer.stdout
    connect_postgresql(replace(postgresql_url, user=name, password="a secret password")).close()


MISTAKES: list[tuple[list[str], ExitCode]] = [
    (["app"], ExitCode.REFUSED),
    (["app", "--generate", "--password-file", "x"], ExitCode.USAGE),
    (["app", "--password-file", "nowhere"], ExitCode.FAILED),
    (["app", "--generate", "--name", "pg_x"], ExitCode.USAGE),
    (["app", "--generate", "--name", "x" * 64], ExitCode.USAGE),
    (["app", "--generate", "--name", ""], ExitCode.USAGE),
    (["app", "--generate", "--existing"], ExitCode.NOT_FOUND),
    (["app", "--generate", "--existing", "--name", "chatdb"], ExitCode.REFUSED),
]


def test_what_cannot_be_meant_makes_no_role(command: Command, postgresql_url: DatabaseUrl) -> None:
    for words, code in MISTAKES:
        name = [] if "--name" in words else ["--name", f"never_{postgresql_url.database}"]

        assert command("roles", "create", *words, *name).exit_code == code, words
    assert len(rows(command("roles", "list", "--format", "json"))) == 1


def test_a_role_is_dropped_with_its_rights_after_asking(command: Command, name: str) -> None:
    command("roles", "create", "app", "--name", name, "--generate")

    refused = command("roles", "drop", name)
    dry = command("roles", "drop", name, "--dry-run")
    assert (refused.exit_code, dry.exit_code) == (ExitCode.REFUSED, 0)
    assert len(rows(command("roles", "list", "--format", "json"))) == 2
    kept = command("roles", "drop", name, "--yes", "--keep-role")
    again = command("roles", "drop", name, "--yes")
    assert (kept.exit_code, again.exit_code) == (0, ExitCode.NOT_FOUND)
    rows(command("roles", "create", "app", "--name", name, "--existing", "--format", "json"))
    done = command("roles", "drop", name, "--yes")

    assert done.exit_code == 0, done.stderr
    assert len(rows(command("roles", "list", "--format", "json"))) == 1
    assert command("roles", "drop", "chatdb", "--yes").exit_code == ExitCode.REFUSED


def test_a_role_that_owns_something_is_not_dropped(
    command: Command, name: str, postgresql_url: DatabaseUrl
) -> None:
    command("roles", "create", "app", "--name", name, "--generate")
    quoted = '"' + name.replace('"', '""') + '"'
    with connect_postgresql(postgresql_url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE theirs (); ALTER TABLE theirs OWNER TO {quoted}".encode())

        refused = command("roles", "drop", name, "--yes")

        assert refused.exit_code == ExitCode.REFUSED
        assert "theirs" in refused.stderr
        assert len(rows(command("roles", "list", "--format", "json"))) == 2
        connection.execute("DROP TABLE theirs")


def test_an_owner_who_is_no_superuser_makes_roles(
    run: Command, postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    owner, role = f"owner_{postgresql_url.database}", f"app_{postgresql_url.database}"
    url = replace(postgresql_url, user=owner, password=PASSWORD)
    secret = PASSWORD.replace("'", "''")
    postgres.execute(f"CREATE ROLE {owner} LOGIN PASSWORD '{secret}'")
    try:
        postgres.execute(
            f"GRANT ALL ON SCHEMA public TO {owner}",
            *(
                f"ALTER {kind} {name} OWNER TO {owner}"
                for kind, name in (
                    *(
                        ("TABLE", table)
                        for table in ("organizations", "conversations", "messages", "snapshots")
                    ),
                    *(
                        ("TABLE", table)
                        for table in (
                            "tombstones",
                            "files",
                            "message_files",
                            "message_embeddings",
                            "message_vectors",
                            "chatdb_log",
                        )
                    ),
                    ("TABLE", "chatdb_settings"),
                    ("TABLE", "chatdb_version"),
                    ("TABLE", "chatdb_leases"),
                    ("VIEW", "conversation_summaries"),
                    ("FUNCTION", "chatdb_search_hits"),
                )
            ),
            database=postgresql_url.database,
        )
        words = ("-d", url.exposed(), "roles", "create", "app", "--name", role, "--generate")
        refused = run(*words)
        postgres.execute(f"ALTER ROLE {owner} CREATEROLE")
        made = run(*words)
        dropped = run("-d", url.exposed(), "roles", "drop", role, "--yes")
    finally:
        postgres.execute(
            f"REASSIGN OWNED BY {owner} TO chatdb",
            f"DROP OWNED BY {owner}",
            database=postgresql_url.database,
        )
        postgres.execute(f"DROP ROLE IF EXISTS {role}", f"DROP ROLE {owner}")

    assert refused.exit_code == ExitCode.REFUSED
    assert "CREATEROLE" in refused.stderr
    assert made.exit_code == 0, made.stderr
    assert dropped.exit_code == 0, dropped.stderr


def test_sqlite_has_no_roles(run: Command, sqlite_url: DatabaseUrl) -> None:
    answer = run("-d", sqlite_url.exposed(), "roles", "list")

    assert answer.exit_code == ExitCode.USAGE
    assert "SQLite has no roles" in answer.stderr
