"""What a database URL may look like, and that no password is ever shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.db.url import parse_url
from chatdb.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://u:p@h:5433/d", {"user": "u", "password": "p", "host": "h", "port": "5433"}),
        ("postgresql+asyncpg://h/d", {"host": "h", "user": "", "password": ""}),
        ("postgresql://u:p%40%25%2Fw@h/d", {"password": "p@%/w"}),
        ("postgresql://u:p@s%/w:x@h:1/d", {"password": "p@s%/w:x", "host": "h", "port": "1"}),
        ("postgresql://u:p%@/:w%41@h/d", {"password": "p%@/:w%41"}),
        ("postgresql://u:p%ffw@h/d", {"password": "p%ffw"}),
        ("postgresql://u:a?b=c@h/d", {"password": "a?b=c", "host": "h"}),
        ("postgresql://u@h/d?application_name=a@b", {"user": "u", "host": "h"}),
        ("postgresql://h/d?application_name=a@b", {"user": "", "host": "h"}),
        ("postgresql://a:1,b:2/d", {"host": "a,b", "port": "1,2"}),
        ("postgresql://[::1]:5432/d", {"host": "::1", "port": "5432"}),
        ("postgresql:///d?host=/var/run/postgresql", {"host": "/var/run/postgresql"}),
        ("postgresql://u:p@%2Fvar%2Frun/d", {"host": "/var/run"}),
    ],
)
def test_postgresql_urls_are_read_in_parts(text: str, expected: dict[str, str]) -> None:
    url = parse_url(text)

    assert {name: getattr(url, name) for name in expected} == expected
    assert url.dialect_name == "postgresql"
    assert url.database == "d"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1))
def test_any_password_survives_the_exposed_form_and_never_shows_in_the_redacted(
    password: str,
) -> None:
    secret = "q9" + password
    url = parse_url("postgresql://u@h:5432/d")
    url = type(url)(
        dialect_name="postgresql", user="u", password=secret, host="h", port="5432", database="d"
    )

    assert parse_url(url.exposed()) == url
    assert url.redacted() == "postgresql://u:***@h:5432/d"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///data/chatdb.db", "data/chatdb.db"),
        ("sqlite:////var/lib/chat%20db.db", "/var/lib/chat db.db"),
        ("chats.sqlite3", "chats.sqlite3"),
        ("./a/b.db", "./a/b.db"),
    ],
)
def test_sqlite_urls_and_plain_paths_name_a_file(text: str, path: str) -> None:
    assert parse_url(text).sqlite_path == Path(path)


@pytest.mark.parametrize("text", ["~/chats/a.db", "sqlite:///~/chats/a.db"])
def test_a_path_may_start_at_home(text: str) -> None:
    assert parse_url(text).sqlite_path == Path.home() / "chats" / "a.db"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "mysql://root:geheim@h/d",
        "sqlite://data.db",
        "sqlite:///:memory:",
        "postgresql://u:geheim@h:54x2/d",
        "postgressql://u:geheim@h/d",
    ],
)
def test_a_typo_is_a_configuration_error_that_keeps_the_password(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(text)

    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert "geheim" not in caught.value.text + (caught.value.hint or "")


def test_secret_parameters_are_redacted_too() -> None:
    url = parse_url("postgresql://h/d?sslpassword=geheim&sslmode=require")

    assert url.redacted() == "postgresql://h/d?sslpassword=***&sslmode=require"
