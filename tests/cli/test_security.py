"""`chatdb security check` finds what lets others reach chats, and nothing where nothing does."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.operations.security.server import SERVER_SECURITY, SecuredServer
from tests.cli.conftest import Run
from tests.operations.app_roles import Deployment
from tests.postgres_server import PostgresServer

Found = dict[str, list[dict[str, Any]]]
Command = Callable[..., Any]


def findings(run: Run, url: DatabaseUrl, *words: str) -> Found:
    """Return the findings by their id."""
    answer = run("-d", url.exposed(), "security", "check", *words, "--format", "json")
    found: Found = {}
    for row in json.loads(answer.stdout):
        found.setdefault(row["id"], []).append(row)
    return found


def bad(found: Found) -> dict[str, str]:
    """Return the ids of warnings and errors, with their first text."""
    return {
        name: row["text"]
        for name, rows in found.items()
        for row in rows[:1]
        if any(row["severity"] in ("warning", "error") for row in rows)
    }


@pytest.mark.postgresql
def test_a_sound_deployment_has_nothing_to_mend(run: Run, deployment: Deployment) -> None:
    answer = run("-d", deployment.owner.exposed(), "security", "check")
    found = findings(run, deployment.owner)

    assert answer.exit_code == 0, answer.stdout
    assert "nothing to fix" in answer.stderr
    assert bad(found) == {}
    assert set(found) >= {"policies", "app-roles", "isolation", "role-rights", "public-grants"}
    assert len(found["isolation"]) == 2
    assert all("did not reach anything" in row["text"] for row in found["isolation"])


HOLES = [
    ("ALTER TABLE messages DISABLE ROW LEVEL SECURITY", {"policies", "isolation"}),
    ("ALTER TABLE messages FORCE ROW LEVEL SECURITY", {"policies"}),
    ("CREATE POLICY more ON messages USING (true)", {"policies", "isolation"}),
    ("ALTER VIEW conversation_summaries RESET (security_invoker)", {"policies", "isolation"}),
    ("GRANT TRUNCATE ON messages TO {app}", {"role-rights", "isolation"}),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", {"public-grants", "role-rights", "isolation"}),
    ("GRANT SELECT ON conversations TO PUBLIC", {"public-grants"}),
    ("GRANT EXECUTE ON FUNCTION chatdb_search_hits TO PUBLIC", {"public-grants"}),
    ("REVOKE EXECUTE ON FUNCTION chatdb_search_hits FROM {app}", {"isolation"}),
    (
        "CREATE TABLE notes (organization_id uuid); GRANT SELECT ON notes TO {app}",
        {"unprotected-tables"},
    ),
    ("CREATE VIEW texts AS SELECT content FROM messages", {"unprotected-tables"}),
    (
        "CREATE VIEW texts WITH (security_invoker) AS SELECT * FROM messages",
        set(),
    ),
    (
        "CREATE MATERIALIZED VIEW counts AS SELECT count(*) FROM messages",
        {"unprotected-tables"},
    ),
    (
        "CREATE FUNCTION of_mine() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        {"public-grants"},
    ),
]


@pytest.mark.large
@pytest.mark.postgresql
def test_every_hole_is_found_and_named(run: Run, deployment: Deployment) -> None:
    with connect_postgresql(deployment.owner, autocommit=True) as connection:
        for hole, expected in HOLES:
            connection.execute("BEGIN")
            connection.execute(hole.format(app=deployment.app.user).encode())
            connection.execute("COMMIT")
            try:
                found = bad(findings(run, deployment.owner, "--fail-on", "never"))
            finally:
                for statement in _MENDED:
                    connection.execute(statement.format(app=deployment.app.user).encode())

            assert set(found) == expected, hole
        assert bad(findings(run, deployment.owner)) == {}


@pytest.mark.postgresql
def test_the_way_out_of_a_lost_policy_is_one(run: Run, deployment: Deployment) -> None:
    with connect_postgresql(deployment.owner, autocommit=True) as connection:
        connection.execute("DROP POLICY snapshots_tenant ON snapshots")

    lost = findings(run, deployment.owner)
    for command in lost["policies"][0]["fix"].split(" && "):
        assert run(*command.split()[1:], "-d", deployment.owner.exposed()).exit_code == 0
    without_rights = findings(run, deployment.owner)
    for fix in {row["fix"] for row in without_rights["isolation"] if row["fix"]}:
        assert run(*shlex.split(fix)[1:], "-d", deployment.owner.exposed()).exit_code == 0

    assert set(bad(lost)) == {"policies", "isolation"}
    assert set(bad(without_rights)) == {"isolation"}
    assert bad(findings(run, deployment.owner)) == {}


_MENDED = (
    "ALTER TABLE messages ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE messages NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY IF EXISTS more ON messages",
    "ALTER VIEW conversation_summaries SET (security_invoker = true)",
    "REVOKE TRUNCATE ON messages FROM {app}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "REVOKE ALL ON conversations FROM PUBLIC",
    "REVOKE ALL ON FUNCTION chatdb_search_hits FROM PUBLIC",
    "GRANT EXECUTE ON FUNCTION chatdb_search_hits TO {app}",
    "DROP TABLE IF EXISTS notes",
    "DROP VIEW IF EXISTS texts",
    "DROP MATERIALIZED VIEW IF EXISTS counts",
    "DROP FUNCTION IF EXISTS of_mine",
)


@pytest.mark.postgresql
def test_the_applications_own_role_tries_itself(run: Run, deployment: Deployment) -> None:
    found = findings(run, deployment.app)

    assert bad(found) == {}
    [row] = found["isolation"]
    assert f"as {deployment.app.user} did not reach anything" in row["text"]
    assert found["connected-as"][0]["severity"] == "ok"


@pytest.mark.postgresql
def test_applications_past_the_policies_are_named(
    run: Run, deployment: Deployment, postgres: PostgresServer
) -> None:
    name = f"lax_{deployment.owner.database}"
    postgres.execute(f"CREATE ROLE {name} LOGIN BYPASSRLS IN ROLE {deployment.app.user}")
    try:
        parameters = (*deployment.owner.parameters, ("application_name", "my shop"))
        with psycopg.connect(
            **replace(deployment.owner, parameters=parameters).libpq()  # type: ignore[arg-type]
        ):
            found = bad(findings(run, deployment.owner))
    finally:
        postgres.execute(f"DROP ROLE {name}")

    assert set(found) == {"app-roles", "unbound-sessions"}
    assert "my shop is connected as chatdb" in found["unbound-sessions"]


@pytest.mark.postgresql
def test_a_database_without_roles_or_policies_is_told_apart(
    run: Run, postgresql_url: DatabaseUrl
) -> None:
    without_roles = bad(findings(run, postgresql_url))
    with Database.open(postgresql_url) as database:
        downgrade(database, "0003")
    answer = run("-d", postgresql_url.exposed(), "security", "check", "--format", "json")

    assert set(without_roles) == {"app-roles"}
    assert answer.exit_code == ExitCode.FAILED
    assert json.loads(answer.stdout)[0]["id"] == "schema-state"


MODES = [
    ("db.example.org", "prefer", ["warning"]),
    ("db.example.org", "require", ["warning"]),
    ("db.example.org", "verify-ca", ["warning"]),
    ("db.example.org", "verify-full", ["ok"]),
    ("db.example.org", None, ["warning"]),
    ("10.0.0.1,localhost", "disable", ["warning"]),
    ("localhost", "disable", []),
    ("127.0.0.1,::1", None, []),
    ("/var/run/postgresql", None, []),
    ("", None, []),
    ("localhost?hostaddr=10.0.0.1", None, ["warning"]),
]


@pytest.mark.parametrize(("host", "mode", "severities"), MODES)
def test_a_connection_over_a_network_must_check_the_server(
    host: str, mode: str | None, severities: list[str]
) -> None:
    name, _, address = host.partition("?hostaddr=")
    given = {"sslmode": mode, "hostaddr": address}
    parameters = tuple((key, value) for key, value in given.items() if value)
    url = DatabaseUrl(dialect_name="postgresql", host=name, parameters=parameters)
    [check] = [check for check in SERVER_SECURITY if check.id == "tls"]
    connection: Any = None  # this one looks at addresses only
    server = SecuredServer(connection=connection, urls=[url], schema=None, roles={})

    assert [finding.severity for finding in check.run(server)] == severities


def test_files_that_others_may_open_are_found(run: Run, sqlite_url: DatabaseUrl) -> None:
    path = sqlite_url.sqlite_path
    folder = path.parent
    folder.chmod(0o755)
    for name in (".env", ".env.example", "backups/a/b.dump", "safe/c.dump"):
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    kept = folder / "chatdb-deleted" / "deleted.jsonl"
    kept.parent.mkdir()
    others = [path, path.with_name(path.name + "-wal"), path.with_name("chatdb-0003.db"), kept]
    for file in others:
        file.touch()
        file.chmod(0o644)

    found = bad(findings(run, sqlite_url))

    assert set(found) == {
        *("database-file", "database-copies", "backup-files", "kept-files", "settings-files"),
    }
    assert "-wal" in found["database-file"]
    assert "example" not in found["settings-files"]
    for file in (*others, Path("backups/a/b.dump"), Path(".env")):
        file.chmod(0o600)
    assert bad(findings(run, sqlite_url)) == {}


def test_a_closed_folder_shields_what_is_in_it(run: Run, sqlite_url: DatabaseUrl) -> None:
    sqlite_url.sqlite_path.chmod(0o644)
    sqlite_url.sqlite_path.parent.chmod(0o700)

    answer = run("-d", sqlite_url.exposed(), "security", "check", "--format", "json")

    assert (answer.exit_code, bad(findings(run, sqlite_url))) == (0, {})


def test_the_exit_code_is_that_of_the_severity_asked_for(run: Run, sqlite_url: DatabaseUrl) -> None:
    Path(".env").touch(mode=0o644)
    Path(".env").chmod(0o644)
    sqlite_url.sqlite_path.chmod(0o600)
    words = ("-d", sqlite_url.exposed(), "security", "check")

    assert run(*words).exit_code == ExitCode.FAILED
    assert run(*words, "--fail-on", "error").exit_code == 0
    assert run(*words, "--fail-on", "never").exit_code == 0
    assert "chmod 600 .env" in run(*words).stdout


def test_a_file_that_does_not_exist_yet_is_no_trouble(run: Run, tmp_path: Path) -> None:
    answer = run("-d", f"sqlite:///{tmp_path}/new.db", "security", "check")

    assert answer.exit_code == 0
    assert not (tmp_path / "new.db").exists()
