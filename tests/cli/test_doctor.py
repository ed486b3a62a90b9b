"""`chatdb doctor` runs every check, changes nothing, and says how to mend what it finds."""

import json
import re
import shlex
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.operations.doctor.findings import examined
from chatdb.operations.doctor.sqlite import FILE_CHECKS, DatabaseFile
from tests.cli.conftest import Run
from tests.postgres_server import PASSWORD, PostgresServer

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    path
    for path in (ROOT / "chatdb").rglob("*.py")
    if "doctor" in f"{path.parent.name}/{path.name}" and "cli" not in path.parts
]
ALWAYS = {"python", "chatdb", "sqlite-library", "psql", "pg-dump", "compose-engine", "settings"}


def findings(run: Any, *words: str, url: DatabaseUrl | None = None) -> dict[str, dict[str, Any]]:
    """Run the doctor and return its findings by their id; of several the worst."""
    # Docker's programs take their time, and are another test's.
    place = {"PATH": "/nowhere"} | ({} if url is None else {"DATABASE_URL": url.exposed()})
    result = run("doctor", *words, "--fail-on", "never", "--format", "json", env=place)
    assert result.exit_code == 0, result.stderr
    order = ["ok", "info", "warning", "error"]
    rows = sorted(json.loads(result.stdout), key=lambda row: order.index(row["severity"]))
    return {row["id"]: row for row in rows}


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_sound_database_has_nothing_to_mend(run: Any, database_url: DatabaseUrl) -> None:
    if database_url.path is not None:
        database_url.path.chmod(0o600)

    found = findings(run, "--deep", url=database_url)

    assert set(found) >= ALWAYS | {"database-reachable", "schema-state", "search-index", "leases"}
    assert [row for row in found.values() if row["severity"] in ("warning", "error")] == []
    assert found["schema-state"]["severity"] == "ok"


def test_the_doctor_changes_nothing_in_a_file(run: Any, sqlite_url: DatabaseUrl) -> None:
    before = sqlite_url.sqlite_path.read_bytes()
    beside = sorted(sqlite_url.sqlite_path.parent.iterdir())

    findings(run, "--deep", url=sqlite_url)

    assert sqlite_url.sqlite_path.read_bytes() == before
    assert sorted(sqlite_url.sqlite_path.parent.iterdir()) == beside


def test_the_doctor_works_for_a_user_who_may_only_read(
    run: Any, postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    role, name = f"reader_{postgresql_url.database}", postgresql_url.database
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x' IN ROLE pg_read_all_data")
    try:
        found = findings(run, url=replace(postgresql_url, user=role, password="x"))
    finally:
        postgres.execute(f"DROP ROLE {role}", database=name)

    assert found["server-superuser"]["severity"] == "ok"
    assert found["server-rights"]["severity"] == "error"
    assert "lacks DELETE, INSERT, UPDATE" in found["server-rights"]["text"]
    assert f"TO {role}" in found["server-rights"]["fix"]
    assert found["schema-differences"]["severity"] == "ok"


def test_the_fix_for_missing_rights_mends_them(
    run: Any, postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    role, name = f"writer_{postgresql_url.database}", postgresql_url.database
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    user = replace(postgresql_url, user=role, password="x")
    try:
        first = findings(run, url=user)["server-rights"]
        postgres.execute(first["fix"].partition(": ")[2], database=name)
        second = findings(run, url=user)["server-rights"]
        postgres.execute(second["fix"].partition(": ")[2], database=name)
        third = findings(run, url=user)["server-rights"]
        postgres.execute(f"DROP OWNED BY {role}", database=name)
    finally:
        postgres.execute(f"DROP ROLE {role}")

    assert [first["severity"], second["severity"], third["severity"]] == ["error", "warning", "ok"]
    assert "cannot migrate" in second["text"]


@pytest.mark.parametrize("words", [(), ("--schema", "public")], ids=["found", "named"])
def test_a_schema_that_is_closed_to_the_user_is_opened_by_the_fix(
    run: Any, postgres: PostgresServer, postgresql_url: DatabaseUrl, words: tuple[str, ...]
) -> None:
    role, name = f"outside_{postgresql_url.database}", postgresql_url.database
    postgres.execute("REVOKE ALL ON SCHEMA public FROM public", database=name)
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    user = replace(postgresql_url, user=role, password="x")
    try:
        postgres.execute(f"GRANT CREATE ON DATABASE {name} TO {role}")
        closed = findings(run, *words, url=user)["server-rights"]
        postgres.execute(closed["fix"].partition(": ")[2], database=name)
        opened = findings(run, *words, url=user)["server-rights"]
        postgres.execute(f"DROP OWNED BY {role}", database=name)
    finally:
        postgres.execute(f"DROP ROLE {role}")

    assert closed["severity"] == "error"
    assert "may not use the schema public" in closed["text"]
    assert "lacks" in opened["text"]


def test_no_database_is_a_finding_and_the_rest_is_checked(run: Any) -> None:
    url = parse_url("postgresql://ada:secret@127.0.0.1:1/chat")

    result = run("doctor", "-d", url.exposed())
    found = findings(run, url=url)

    assert result.exit_code == 1
    assert "1 error" in result.stderr
    assert found["database-reachable"]["severity"] == "error"
    assert "nothing listens at 127.0.0.1:1" in found["database-reachable"]["text"]
    assert set(found) >= ALWAYS
    assert "secret" not in result.stdout + result.stderr


def test_a_password_that_is_a_common_word_leaves_the_fixes_readable(
    run: Any, postgres: PostgresServer, empty_postgresql_url: DatabaseUrl
) -> None:
    role = f"chatdb_{empty_postgresql_url.database}"
    postgres.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'chatdb'")
    try:
        url = replace(empty_postgresql_url, user=role, password="chatdb")
        found = findings(run, url=url)
    finally:
        postgres.execute(f"DROP ROLE {role}")

    assert found["schema-state"]["fix"] == "to create them: chatdb migrate"


def test_a_missing_sqlite_file_is_no_trouble(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "new.db"

    found = findings(run, url=DatabaseUrl(dialect_name="sqlite", path=path))

    assert found["database-reachable"]["severity"] == "info"
    assert not path.exists()


@pytest.mark.parametrize(
    "content", ["DATABASE_URL=mysql://ada:secret@db/chat\n", "\udcff"], ids=["url", "encoding"]
)
def test_settings_that_cannot_be_used_are_a_finding(run: Any, content: str) -> None:
    Path(".env").write_bytes(content.encode(errors="surrogateescape"))

    found = findings(run)

    assert found["settings"]["severity"] == "error"
    assert "secret" not in json.dumps(found)
    assert set(found) >= ALWAYS
    assert "database-reachable" not in found


def test_a_password_that_others_can_read_is_told_and_the_fix_mends_it(run: Any) -> None:
    path = Path(".env")
    path.write_text("# a remark\nDATABASE_URL=postgresql://ada:secret@127.0.0.1:1/chat\n")
    path.chmod(0o644)

    found = findings(run)["env-file"]
    subprocess.run(shlex.split(found["fix"]), check=True)

    assert found["severity"] == "warning"
    assert findings(run)["env-file"]["severity"] == "ok"


def test_an_env_file_without_a_secret_may_be_read_by_all(run: Any) -> None:
    Path(".env").write_text("DATABASE_URL=sqlite:///chat.db\nPGPASSWORD=\n#A_PASSWORD=x\n")
    Path(".env").chmod(0o644)

    assert findings(run)["env-file"]["severity"] == "ok"


def test_a_line_of_the_env_file_that_cannot_be_read_is_told(run: Any) -> None:
    Path(".env").write_text("CHATDB_ORG=default\nnot a 'setting\n")

    found = findings(run)["env-file"]

    assert (found["severity"], "line 2" in found["text"]) == ("warning", True)


def test_a_password_on_the_command_line_is_told(run: Any, postgresql_url: DatabaseUrl) -> None:
    result = run("doctor", "-d", postgresql_url.exposed(), "--format", "jsonl")

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["severity"] for row in rows if row["id"] == "settings"] == ["info"]
    assert PASSWORD not in result.stdout + result.stderr


def test_a_file_that_others_may_open_is_told_and_the_fix_mends_it(
    run: Any, sqlite_url: DatabaseUrl
) -> None:
    sqlite_url.sqlite_path.chmod(0o644)

    path = sqlite_url.sqlite_path.rename(sqlite_url.sqlite_path.with_name("ann's chats $(x).db"))
    url = replace(sqlite_url, path=path)

    found = findings(run, url=url)["file-rights"]
    subprocess.run(shlex.split(found["fix"]), check=True)

    assert found["severity"] == "warning"
    assert findings(run, url=url)["file-rights"]["severity"] == "ok"


def test_a_damaged_file_is_found_by_a_deep_look(run: Any, sqlite_url: DatabaseUrl) -> None:
    path = sqlite_url.sqlite_path
    with closing(sqlite3.connect(path)) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'organizations'"
        ).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 64)

    found = findings(run, "--deep", url=sqlite_url)["file-integrity"]

    assert found["severity"] == "error"
    assert "is damaged" in found["text"]
    assert "***" not in found["text"]


def test_rows_that_refer_to_nothing_are_found_by_a_deep_look(
    run: Any, sqlite_url: DatabaseUrl
) -> None:
    execute(
        sqlite_url.sqlite_path,
        "PRAGMA foreign_keys=OFF",
        "INSERT INTO snapshots SELECT id, id, id, '{}', created_at FROM organizations",
    )

    found = findings(run, "--deep", url=sqlite_url)["file-integrity"]

    assert found["severity"] == "error"
    assert "1 rows of snapshots" in found["text"]


@pytest.mark.large
def test_who_holds_the_write_lock_is_found_by_a_deep_look(
    run: Any, sqlite_url: DatabaseUrl
) -> None:
    with closing(sqlite3.connect(sqlite_url.sqlite_path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        held = findings(run, "--deep", url=sqlite_url)["file-lock"]
        writer.execute("ROLLBACK")
    free = findings(run, "--deep", url=sqlite_url)["file-lock"]

    assert (held["severity"], free["severity"]) == ("warning", "ok")


@pytest.mark.usefixtures("sqlite3_program")
def test_another_journal_mode_is_told_and_the_fix_mends_it(
    run: Any, run_process: Run, sqlite_url: DatabaseUrl
) -> None:
    execute(sqlite_url.sqlite_path, "PRAGMA journal_mode=DELETE")

    found = findings(run, url=sqlite_url)["file-journal"]
    words = shlex.split(found["fix"])[1:]
    mended = run_process(*words, "-d", sqlite_url.exposed())

    assert found["severity"] == "info"
    assert mended.exit_code == 0, mended.stderr
    assert findings(run, url=sqlite_url)["file-journal"]["severity"] == "ok"


def test_a_log_is_known_where_the_file_may_only_be_read(sqlite_url: DatabaseUrl) -> None:
    path = sqlite_url.sqlite_path
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as connection:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        file = DatabaseFile(connection=connection, path=path, deep=False)
        found = {each.id: each.severity for each in examined(FILE_CHECKS, file)}

    assert mode != "wal"
    assert found["file-journal"] == "ok"


def test_a_file_that_is_no_database_is_a_finding(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes(b"a text, and a long one at that. " * 100)

    found = findings(run, url=DatabaseUrl(dialect_name="sqlite", path=path))

    assert found["database-reachable"]["severity"] == "error"
    assert "is not a SQLite database" in found["database-reachable"]["text"]


@pytest.mark.parametrize(
    ("limit", "code"), [("error", 0), ("warning", 1), ("never", 0)], ids=["error", "warning", "no"]
)
def test_fail_on_says_from_which_severity_on(
    run: Any, sqlite_url: DatabaseUrl, limit: str, code: int
) -> None:
    sqlite_url.sqlite_path.chmod(0o644)

    result = run("doctor", "-d", sqlite_url.exposed(), "--fail-on", limit)

    assert result.exit_code == code
    assert "1 warning" in result.stderr


def test_people_get_a_line_for_each_finding_and_a_fix_that_can_be_copied(
    run: Any, run_on_terminal: Any
) -> None:
    url = "postgresql://ada@127.0.0.1:1/chat"

    piped = run("doctor", "-d", url).stdout.splitlines()
    narrow = run_on_terminal("doctor", "-d", url, columns=60).stdout.splitlines()

    start = "error  database-reachable"
    (line,) = [line for line in piped if line.startswith(start)]
    assert line.endswith(
        "no connection to postgresql://ada@127.0.0.1:1/chat: nothing listens at 127.0.0.1:1"
    )
    fix = piped[piped.index(line) + 1]
    assert fix.startswith("    fix: start the server")
    assert fix in narrow
    long = [line for line in narrow if len(line) > 60 and not line.startswith("    fix: ")]
    assert [line for line in long if " " in line[30:].strip()] == []


def test_every_id_is_explained_in_the_documentation() -> None:
    source = "\n".join(path.read_text() for path in SOURCES)
    used = set(re.findall(r'\b(?:ok|info|warning|error|Check|_engine)\(\s*"([a-z0-9-]+)"', source))
    used |= set(re.findall(r'"((?:disk|server|file|schema)-[a-z-]+)"', source))
    used |= {"psql", "pg-dump", "pg-restore"}

    explained = set(re.findall(r"(?m)^### `([a-z0-9-]+)`$", (ROOT / "docs/doctor.md").read_text()))

    assert len(used) > 25
    assert used == explained
