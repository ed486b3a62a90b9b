"""Every setting is found on one ladder and says where it came from."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatdb import config
from chatdb.errors import ConfigurationError

LADDER = [
    ("option --database-url", "sqlite:///option.db"),
    ("environment CHATDB_DATABASE_URL", "sqlite:///env-chatdb.db"),
    ("environment DATABASE_URL", "sqlite:///env.db"),
    ("environment PGHOST", "postgresql://db.example/"),
    (".env line 1", "sqlite:///file-chatdb.db"),
    (".env line 2", "sqlite:///file.db"),
    (".env line 3", "postgresql:///chat"),
    ("default", "sqlite:///data/chatdb.db"),
]


@pytest.mark.parametrize("rung", range(len(LADDER)), ids=[source for source, _ in LADDER])
def test_the_database_url_comes_from_the_highest_rung(rung: int, tmp_path: Path) -> None:
    environment = {
        "CHATDB_DATABASE_URL": "sqlite:///env-chatdb.db",
        "DATABASE_URL": "sqlite:///env.db",
        "PGHOST": "db.example",
    }
    lines = [
        "CHATDB_DATABASE_URL=sqlite:///file-chatdb.db",
        "DATABASE_URL=sqlite:///file.db",
        "PGDATABASE=chat",
    ]
    option = "sqlite:///option.db" if rung == 0 else None
    for name in list(environment)[: max(rung - 1, 0)]:
        del environment[name]
    for index in range(min(max(rung - 4, 0), 3)):
        lines[index] = "# nothing"
    (tmp_path / ".env").write_text("\n".join(lines) + "\n")

    found = config.load(database_url=option, environment=environment, directory=tmp_path)

    assert (found.database_url.source, found.database_url.value) == LADDER[rung]


@pytest.mark.parametrize(
    ("field", "option", "names"),
    [
        ("direct_url", "--direct-url", ("CHATDB_DIRECT_URL", "DIRECT_URL")),
        ("schema", "--schema", ("CHATDB_SCHEMA",)),
        ("org", "--org", ("CHATDB_ORG",)),
    ],
)
def test_the_other_settings_walk_the_same_ladder(
    field: str, option: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    def found(environment: dict[str, str], **typed: Any) -> Any:
        return getattr(config.load(environment=environment, directory=tmp_path, **typed), field)

    (tmp_path / ".env").write_text("\n" + "".join(f"{name}=f-{name}\n" for name in names))
    environment = {name: f"e-{name}" for name in names}

    assert found(environment, **{field: "typed"}) == config.Setting("typed", f"option {option}")
    assert found(environment) == config.Setting(f"e-{names[0]}", f"environment {names[0]}")
    assert found({}) == config.Setting(f"f-{names[0]}", ".env line 2")


def test_without_settings_everything_has_its_default(tmp_path: Path) -> None:
    found = config.load(environment={}, directory=tmp_path)

    assert found.database_url == config.Setting("sqlite:///data/chatdb.db", "default")
    assert found.org == config.Setting("default", "default")
    assert found.direct_url is None
    assert found.schema is None


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    found = config.load(environment={"DATABASE_URL": "", "CHATDB_ORG": ""}, directory=tmp_path)

    assert found.database_url.source == "default"
    assert found.org.source == "default"


def test_an_empty_option_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--database-url is empty"):
        config.load(database_url=" ", environment={}, directory=tmp_path)


def test_a_dotenv_may_have_quotes_export_and_references(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "\ufeff# settings\n\nPGPASSWORD='a b'\nexport DATABASE_URL=\"postgresql://me:${PGPASSWORD}@h/d\"\n"
    )

    found = config.load(environment={}, directory=tmp_path)

    assert found.database_url == config.Setting("postgresql://me:a b@h/d", ".env line 4")
    assert found.libpq == {"PGPASSWORD": "a b"}


def test_a_bad_line_of_a_dotenv_is_named_and_the_others_count(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("=nonsense\nCHATDB_ORG=acme\n")

    found = config.load(environment={}, directory=tmp_path)

    assert found.org == config.Setting("acme", ".env line 2")
    assert found.notes == (".env line 1 cannot be read and is ignored",)


def test_a_dotenv_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DATABASE_URL=\xff\xfe")

    with pytest.raises(ConfigurationError, match=r"\.env cannot be read: it is not UTF-8"):
        config.load(environment={}, directory=tmp_path)


def test_a_folder_called_dotenv_is_no_settings_file(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()

    assert config.load(environment={}, directory=tmp_path).database_url.source == "default"


def test_the_dotenvs_libpq_variables_stay_away_from_a_url_of_the_environment(
    tmp_path: Path,
) -> None:
    (tmp_path / ".env").write_text("PGPASSWORD=secret\nPGHOST=inside\n")

    found = config.load(environment={"DATABASE_URL": "postgresql://h/d"}, directory=tmp_path)

    assert found.libpq == {}


def test_libpq_variables_are_exported_without_overriding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", "from-environment")
    monkeypatch.setenv("PGPORT", "before")
    monkeypatch.delenv("PGPORT")
    url = config.Setting("postgresql://", ".env line 1")

    config.export_libpq(
        replace(config.load(), database_url=url, libpq={"PGUSER": "from-file", "PGPORT": "6543"})
    )

    assert (os.environ["PGUSER"], os.environ["PGPORT"]) == ("from-environment", "6543")


@pytest.mark.parametrize(
    ("environment", "color", "pager"),
    [
        ({}, True, "less"),
        ({"NO_COLOR": "1"}, False, "less"),
        ({"NO_COLOR": ""}, True, "less"),
        ({"TERM": "dumb", "PAGER": "more -d"}, False, "more -d"),
        ({"PAGER": "more", "CHATDB_PAGER": ""}, True, ""),
    ],
)
def test_the_terminal_is_as_the_environment_wants_it(
    environment: dict[str, str], color: bool, pager: str
) -> None:
    assert config.uses_color(environment) == color
    assert config.load(environment=environment).pager.value == pager


def test_config_show_tells_each_value_and_its_source(run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DIRECT_URL", "postgres://me:hunter2@db.example:5433/chat?sslmode=require")
    Path(".env").write_text("CHATDB_SCHEMA=chat\n")

    result = run("config", "show", "--org", "acme", "--format", "json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)[:4] == [
        {"name": "database_url", "value": "sqlite:///data/chatdb.db", "source": "default"},
        {
            "name": "direct_url",
            "value": "postgresql://me:***@db.example:5433/chat?sslmode=require",
            "source": "environment DIRECT_URL",
        },
        {"name": "schema", "value": "chat", "source": ".env line 1"},
        {"name": "org", "value": "acme", "source": "option --org"},
    ]


@pytest.mark.parametrize("output_format", ["table", "json", "jsonl", "csv"])
def test_config_show_never_shows_a_password(run: Any, output_format: str) -> None:
    result = run("config", "show", "-d", "postgresql://u:p%40ss@h/d", "--format", output_format)

    assert result.exit_code == 0
    assert "postgresql://u:***@h/d" in result.stdout
    assert "p%40ss" not in result.stdout + result.stderr


def test_a_url_with_a_typo_names_its_source(run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgrsql://me:hunter2@h/d")

    result = run("config", "show")

    assert result.exit_code == 2
    assert "(environment DATABASE_URL)" in result.stderr
    assert "hunter2" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--org", "acme", "config", "show"),
        ("config", "--org", "acme", "show"),
        ("config", "show", "--org", "acme"),
        ("--org", "other", "config", "show", "--org=acme"),
    ],
)
def test_a_global_option_stands_before_or_after_the_command(run: Any, words: Any) -> None:
    assert "org,acme,option --org" in run(*words, "--format", "csv").stdout


def test_words_after_two_dashes_are_no_options(run: Any) -> None:
    result = run("config", "show", "--", "--org")

    assert result.exit_code == 2
    assert "unexpected extra argument" in result.stderr


def test_the_libpq_variables_are_shown_as_the_url_they_amount_to(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PGHOST=inside\nPGPORT=5433\nPGPASSWORD=geheim\n")
    above = {"PGUSER": "ann@home", "PGPORT": "6000"}

    found = config.load(environment=above, directory=tmp_path).database_url
    service = config.load(environment={"PGHOST": "h", "PGSERVICE": "s"}, directory=tmp_path)

    assert found == config.Setting("postgresql://ann%40home@inside:6000/", ".env line 1")
    assert service.database_url.value == "postgresql:///"


@pytest.mark.parametrize("name", ["x" * 64, "ä" * 32, "pg_own", "a\0b"])
def test_a_schema_that_cannot_be_is_a_configuration_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="environment CHATDB_SCHEMA"):
        config.load(environment={"CHATDB_SCHEMA": name}, directory=tmp_path)


def test_the_development_server_is_set_by_the_same_ladder(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("CHATDB_DEV_PORT=6000\nCHATDB_DEV_PASSWORD=very-secret\n")
    monkeypatch.setenv("CHATDB_DEV_MEMORY", "4g")
    monkeypatch.setenv("CHATDB_DEV_USER", "someone")

    shown = run("config", "show", "--format", "json").stdout
    rows = {row["name"]: (row["value"], row["source"]) for row in json.loads(shown)}

    assert rows["dev_port"] == ("6000", ".env line 1")
    assert rows["dev_user"] == ("someone", "environment CHATDB_DEV_USER")
    assert rows["dev_database"] == ("chatdb_dev", "default")
    assert rows["dev_memory"] == ("4g", "environment CHATDB_DEV_MEMORY")
    assert "very-secret" not in shown


def test_an_env_file_does_not_choose_which_programs_run(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text("CHATDB_PG_BINDIR=/somewhere\n")
    assert config.load().pg_bindir is None

    monkeypatch.setenv("CHATDB_PG_BINDIR", "/usr/lib/postgresql/17/bin")

    rows = json.loads(run("config", "show", "--format", "json").stdout)
    assert {"/usr/lib/postgresql/17/bin"} == {r["value"] for r in rows if r["name"] == "pg_bindir"}


@pytest.mark.parametrize(
    ("typed", "environment", "counts"),
    [
        ({}, {"DATABASE_URL": "sqlite:///e.db", "DIRECT_URL": "d"}, True),
        ({"database_url": "sqlite:///o.db"}, {"DIRECT_URL": "d"}, False),
        ({"database_url": "sqlite:///o.db", "direct_url": "d"}, {"DIRECT_URL": "e"}, True),
        ({"direct_url": "d"}, {"DATABASE_URL": "sqlite:///e.db"}, True),
        ({}, {"DATABASE_URL": "sqlite:///e.db"}, False),
        ({}, {}, True),
    ],
)
def test_a_direct_url_from_below_the_databases_is_another_databases(
    typed: dict[str, str], environment: dict[str, str], counts: bool, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:///f.db\nDIRECT_URL=file\n")

    found = config.load(environment=environment, directory=tmp_path, **typed)

    assert (found.direct_url is not None) is counts
    assert (found.foreign_direct_url is None) is counts


def test_config_show_says_which_direct_url_is_left_out(run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CHATDB_DIRECT_URL", "postgresql://me:hunter2@db.example/chat")

    result = run("config", "show", "-d", "other.db", "--format", "json")

    row = next(row for row in json.loads(result.stdout) if row["name"] == "direct_url")
    assert row["value"] is None
    assert row["source"] == "left out: environment CHATDB_DIRECT_URL is for another database"
