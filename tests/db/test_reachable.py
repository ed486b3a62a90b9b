"""Waiting tells why a database does not answer, and ends when it does, or when it is pointless."""

import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chatdb.db.postgresql.unreachable import Diagnosis, Reason, diagnose
from chatdb.db.reachable import wait_until_reachable
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import DatabaseUnreachableError, ServerFailedError
from tests.db import silent_servers
from tests.postgres_server import PostgresServer


def refusal(url: DatabaseUrl, seconds: float = 0) -> DatabaseUnreachableError:
    """Return the error of a wait that is in vain."""
    with pytest.raises(DatabaseUnreachableError) as caught:
        wait_until_reachable(url, seconds, lambda _: None)
    assert url.password == "" or url.password not in caught.value.text
    return caught.value


def local(port: int) -> DatabaseUrl:
    return parse_url(f"postgresql://ada:secret@127.0.0.1:{port}/chat?sslmode=disable")


def test_an_answering_database_ends_the_wait_at_once(database_url: DatabaseUrl) -> None:
    notes: list[str] = []

    assert wait_until_reachable(database_url, 30, notes.append) < 5
    assert notes == []


def test_a_port_nobody_listens_on_is_named() -> None:
    assert "nothing listens at 127.0.0.1:1" in refusal(local(1)).text


def test_a_socket_nobody_listens_on_is_named() -> None:
    text = refusal(parse_url("postgresql:///chat?host=/nowhere")).text

    assert "nothing listens at /nowhere" in text


def test_a_name_that_does_not_resolve_is_named() -> None:
    text = refusal(parse_url("postgresql://ada@nowhere.invalid/chat")).text

    assert "the name nowhere.invalid does not resolve" in text


def test_a_wrong_password_is_told_from_the_rest(postgresql_url: DatabaseUrl) -> None:
    error = refusal(replace(postgresql_url, password="wrong"))

    assert "refuses the login of user chatdb" in error.text
    assert "password" in (error.hint or "")


def test_a_missing_password_is_told_from_a_wrong_one(postgresql_url: DatabaseUrl) -> None:
    assert "requires a password" in refusal(replace(postgresql_url, password="")).text


def test_a_missing_database_is_named(postgres: PostgresServer) -> None:
    error = refusal(postgres.url("nowhere"))

    assert "has no database nowhere" in error.text
    assert (error.hint or "").endswith(" nowhere")


def test_a_demand_for_tls_that_the_server_cannot_meet_is_told(postgresql_url: DatabaseUrl) -> None:
    url = replace(postgresql_url, parameters=(("sslmode", "require"),))

    assert "does not support TLS" in refusal(url).text


def test_a_full_server_is_told(postgres: PostgresServer, postgresql_url: DatabaseUrl) -> None:
    role = f"guest_{postgresql_url.database}"
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
    try:
        text = refusal(replace(postgresql_url, user=role, password="x")).text
    finally:
        postgres.execute(f"DROP ROLE {role}")

    assert "accepts no more connections" in text


def test_a_user_without_the_right_to_connect_is_told(
    postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    role, name = f"guest_{postgresql_url.database}", postgresql_url.database
    postgres.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'", f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
    )
    try:
        text = refusal(replace(postgresql_url, user=role, password="x")).text
    finally:
        postgres.execute(f"DROP ROLE {role}")

    assert f"denies user {role} access to database {name}" in text


def test_a_primary_where_a_standby_is_asked_for_is_told(postgresql_url: DatabaseUrl) -> None:
    url = replace(postgresql_url, parameters=(("target_session_attrs", "standby"),))

    assert "target_session_attrs" in refusal(url).text


def test_another_program_on_the_port_is_told() -> None:
    with silent_servers.serving(silent_servers.web_server) as port:
        url = parse_url(f"postgresql://ada@127.0.0.1:{port}/chat")

        assert (
            f"the program listening at 127.0.0.1:{port} is not a PostgreSQL server"
            in refusal(url).text
        )


def test_a_server_that_hangs_up_is_told() -> None:
    with silent_servers.serving(silent_servers.hangs_up) as port:
        assert "closed the connection" in refusal(local(port)).text


@pytest.mark.large
@pytest.mark.parametrize("server", [silent_servers.silent, silent_servers.silent_after_login])
def test_a_silent_server_does_not_outlast_the_timeout(server: object) -> None:
    with silent_servers.serving(server) as port:  # type: ignore[arg-type]
        started = time.monotonic()

        assert "does not answer" in refusal(local(port), 1).text
        assert time.monotonic() - started < 10


def test_the_wait_ends_when_the_database_is_made(postgres: PostgresServer) -> None:
    notes: list[str] = []
    name = f"late_{time.monotonic_ns()}"
    maker = threading.Timer(0.5, postgres.execute, [f"CREATE DATABASE {name}"])
    maker.start()
    try:
        seconds = wait_until_reachable(postgres.url(name), 30, notes.append)
    finally:
        maker.join()
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert seconds >= 0.4
    assert len(notes) == 1
    assert f"has no database {name}" in notes[0]


def test_the_wait_is_given_up_when_the_caller_knows_better() -> None:
    tries = []

    def give_up(_: Diagnosis) -> None:
        tries.append(1)
        if len(tries) == 3:
            raise ServerFailedError("the server has died")

    started = time.monotonic()
    with pytest.raises(ServerFailedError):
        wait_until_reachable(local(1), 60, lambda _: None, give_up=give_up)
    assert time.monotonic() - started < 10


def test_a_sqlite_file_that_is_still_to_be_made_answers(tmp_path: Path) -> None:
    path = tmp_path / "new" / "chat.db"

    wait_until_reachable(DatabaseUrl(dialect_name="sqlite", path=path), 0, lambda _: None)

    assert not path.parent.exists()


def test_a_file_that_is_no_sqlite_database_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes(b"not a database, and long enough to be looked at" * 50)
    started = time.monotonic()

    assert (
        "is not a SQLite database"
        in refusal(DatabaseUrl(dialect_name="sqlite", path=path), 30).text
    )
    assert time.monotonic() - started < 10


def test_a_sqlite_file_that_another_program_holds_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE words (word)")
    holder.execute("BEGIN EXCLUSIVE")

    text = refusal(DatabaseUrl(dialect_name="sqlite", path=path), 0.2).text
    holder.close()

    assert "held by another program for 0.2 s" in text


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("FATAL:  the database system is starting up", Reason.STARTING),
        ("FATAL:  the database system is not yet accepting connections", Reason.STARTING),
        ("FATAL:  the database system is shutting down", Reason.STOPPING),
        ("FATAL:  sorry, too many clients already", Reason.TOO_MANY_CONNECTIONS),
        ("FATAL:  no more connections allowed (max_client_conn)", Reason.TOO_MANY_CONNECTIONS),
        (
            (
                'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "a", database "b",'
                " no encryption"
            ),
            Reason.TLS_DEMANDED,
        ),
        (
            (
                'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "a", database "b",'
                ' SSL encryption\nFATAL:  no pg_hba.conf entry for host "10.0.0.1", user "a",'
                ' database "b", no encryption'
            ),
            Reason.NOT_ALLOWED,
        ),
        ("SSL error: certificate verify failed", Reason.TLS_FAILED),
        ("connection timeout expired", Reason.NO_ANSWER),
        ('definition of service "chat" not found', Reason.NO_SERVICE),
        ('FATAL:  role "ada" does not exist', Reason.NO_ROLE),
        ('FATAL:  Passwort-Authentifizierung für Benutzer "ada" fehlgeschlagen', Reason.OTHER),
    ],
)
def test_what_servers_say_is_understood(message: str, reason: Reason) -> None:
    text = f'connection failed: connection to server at "127.0.0.1", port 5432 failed: {message}'

    found = diagnose(text, local(5432))

    assert found.reason is reason
    assert reason is not Reason.OTHER or found.text == message.removeprefix("FATAL:  ")


def test_of_several_hosts_the_one_that_answers_gives_the_reason() -> None:
    message = (
        'connection to server at "b", port 2 failed: Connection refused\n'
        "Multiple connection attempts failed. All failures were:\n"
        '- host: a, port: 1: FATAL:  password authentication failed for user "ada"\n'
        "- host: b, port: 2: Connection refused"
    )

    found = diagnose(message, parse_url("postgresql://ada:x@a:1,b:2/chat"))

    assert found.reason is Reason.WRONG_PASSWORD
    assert "a:1, b:2" in found.text
