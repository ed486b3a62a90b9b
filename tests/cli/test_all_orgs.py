"""`--all-orgs` as people type it, and what is said when the wrong organization was looked at."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.operations.organizations import organizations
from tests.operations.tenants import ACME, GLOBEX, Tenant, two_tenants

Command = Callable[..., Any]


@pytest.fixture
def tenants(database: Database) -> tuple[Tenant, Tenant]:
    made = two_tenants(database)
    organizations.rename(database, GLOBEX, "Globex [red]Ltd.")
    return made


@pytest.fixture
def command(run: Command, database: Database) -> Command:
    """Run a command on the test's database."""
    url = database.url.exposed()
    return lambda *words, **options: run("-d", url, *words, **options)


def rows(answer: Any) -> Any:
    assert answer.exit_code == 0, answer.stderr
    return json.loads(answer.stdout)


LISTS = {
    "conversations": ("conversations", "list"),
    "users": ("users", "list"),
    "user": ("users", "show", "ann"),
    "search": ("search", "shared"),
    "titles": ("search", "in:title", "shared"),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.usefixtures("tenants")
def test_rows_of_all_begin_with_their_organization_in_every_format(
    command: Command, name: str
) -> None:
    words = (*LISTS[name], "--all-orgs")

    found = rows(command(*words, "--format", "json"))

    assert {next(iter(row)) for row in found} == {"organization"}
    assert {row["organization"] for row in found} == {ACME, GLOBEX}
    lines = command(*words, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line) for line in lines] == found
    table = list(csv.DictReader(io.StringIO(command(*words, "--format", "csv").stdout)))
    assert [row["organization"] for row in table] == [row["organization"] for row in found]
    shown = command(*words).stdout
    assert ACME in shown
    assert GLOBEX in shown


def test_without_the_option_no_row_has_the_key(
    command: Command, tenants: tuple[Tenant, Tenant]
) -> None:
    found = rows(command("conversations", "list", "--org", ACME, "--format", "json"))

    assert len(found) == len(tenants[0].conversations)
    assert all("organization" not in row for row in found)


def test_what_is_shown_of_one_conversation_is_found_in_any_organization(
    command: Command, tenants: tuple[Tenant, Tenant]
) -> None:
    identifier = str(tenants[1].conversations["bob"])

    for words in (
        ("messages", "list", identifier),
        ("messages", "list", identifier, "--user", "bob"),
        ("snapshots", "list", identifier),
    ):
        found = rows(command(*words, "--all-orgs", "--format", "json"))
        assert {row["organization"] for row in found} == {GLOBEX}, words
    snapshot = rows(command("snapshots", "show", identifier, "--all-orgs", "--format", "json"))
    assert snapshot["organization"] == GLOBEX
    record = rows(command("conversations", "show", identifier, "--all-orgs", "--format", "json"))
    assert (record["organization"], record["organization_name"]) == (GLOBEX, "Globex [red]Ltd.")
    assert (
        f"of the organization {GLOBEX}"
        in command("conversations", "show", identifier, "--all-orgs").stderr
    )
    messages = command("conversations", "show", identifier, "--all-orgs", "--format", "csv").stdout
    assert messages.startswith("organization,id,")
    other = command("messages", "list", identifier, "--all-orgs", "--user", "ann")
    assert other.exit_code == ExitCode.NOT_FOUND


@pytest.mark.usefixtures("tenants")
def test_a_user_and_all_organizations_go_together(command: Command) -> None:
    for words in (("conversations", "list"), ("search", "shared")):
        found = rows(command(*words, "--all-orgs", "--user", "ann", "--format", "json"))
        assert {(row["organization"], row["user_id"]) for row in found} == {
            (ACME, "ann"),
            (GLOBEX, "ann"),
        }
    lines = command("export", "--all-orgs", "--user", "ann").stdout.splitlines()[1:]
    assert {(json.loads(line)["organization"], json.loads(line)["user_id"]) for line in lines} == {
        (ACME, "ann"),
        (GLOBEX, "ann"),
    }


NOTHING = {
    "list": (("conversations", "list"), 0),
    "show": (("conversations", "show", "last"), ExitCode.NOT_FOUND),
    "messages": (("messages", "list", "0123456789"), ExitCode.NOT_FOUND),
    "snapshots": (("snapshots", "list", "last"), ExitCode.NOT_FOUND),
    "snapshot": (("snapshots", "show", "last"), ExitCode.NOT_FOUND),
    "users": (("users", "list"), 0),
    "user": (("users", "show", "ann"), ExitCode.NOT_FOUND),
    "search": (("search", "shared"), 0),
    "stats": (("stats", "--org", "default"), 0),
    "export": (("export",), 0),
    "export of an id": (("export", "--id", "last"), ExitCode.NOT_FOUND),
    "export to a database": (("export", "--to", "relay", "--output", "x.sql"), 0),
}


@pytest.mark.parametrize("name", NOTHING)
@pytest.mark.usefixtures("tenants")
def test_what_finds_nothing_says_who_has_something(command: Command, name: str) -> None:
    words, code = NOTHING[name]

    answer = command(*words)

    assert answer.exit_code == code, answer.stderr
    assert f"{ACME} (2), {GLOBEX} (2); to choose one: --org {ACME}" in answer.stderr
    assert ("or --all-orgs" in answer.stderr) == (name != "export to a database")
    if "--output" not in words:
        assert "others have" not in command("--quiet", *words).stderr


@pytest.mark.usefixtures("tenants")
def test_an_empty_backup_of_one_organization_says_who_has_something(command: Command) -> None:
    empty = command("backup", "create", "--org", "default")
    full = command("backup", "create", "--org", ACME)

    assert empty.exit_code == full.exit_code == 0, empty.stderr
    assert f"{GLOBEX} (2); to choose one: --org {ACME}, or leave it out" in empty.stderr
    assert "others have" not in full.stderr


@pytest.mark.parametrize("name", NOTHING)
def test_what_finds_nothing_where_nothing_is_says_nothing_of_others(
    command: Command, name: str
) -> None:
    assert "others have" not in command(*NOTHING[name][0]).stderr


@pytest.mark.usefixtures("tenants")
def test_all_and_one_organization_exclude_each_other(command: Command) -> None:
    for words in (
        *LISTS.values(),
        ("conversations", "show", "last"),
        ("messages", "list", "last"),
        ("snapshots", "list", "last"),
        ("stats",),
        ("export",),
        ("import", "x.jsonl"),
    ):
        answer = command(*words, "--all-orgs", "--org", ACME)
        assert answer.exit_code == ExitCode.USAGE, words
        assert "exclude each other" in answer.stderr
    in_use = {"CHATDB_ORG": ACME}
    found = rows(command("users", "list", "--all-orgs", "--format", "json", env=in_use))
    assert {row["organization"] for row in found} == {ACME, GLOBEX}
    report = rows(command("stats", "--all-orgs", "--format", "json", env=in_use))
    assert report["organization"] is None
    assert report["totals"]["conversations"] == 4


def test_one_name_that_two_organizations_have_is_told_with_both(
    command: Command, tenants: tuple[Tenant, Tenant], tmp_path: Path
) -> None:
    identifier = str(tenants[0].conversations["ann"])
    path = tmp_path / "one.jsonl"
    written = command("export", "--org", ACME, "--id", identifier, "--output", path)
    assert written.exit_code == 0, written.stderr
    assert command("import", path, "--org", GLOBEX).exit_code == 0

    for words in (
        ("conversations", "show", identifier),
        ("messages", "list", identifier),
        ("export", "--id", identifier),
    ):
        answer = command(*words, "--all-orgs")
        assert answer.exit_code == ExitCode.USAGE, words
        assert f"{identifier} in {ACME}" in answer.stderr
        assert f"{identifier} in {GLOBEX}" in answer.stderr
        assert "--org" in answer.stderr


@pytest.mark.usefixtures("tenants")
def test_a_folder_of_all_has_one_for_each_organization(
    command: Command, database: Database, tmp_path: Path
) -> None:
    organizations.create(database, "No/Word ..")
    source = tmp_path / "acme.jsonl"
    command("export", "--org", ACME, "--output", source)
    command("import", source, "--org", "No/Word ..")

    answer = command("export", "--all-orgs", "--to", "markdown", "--output", f"{tmp_path}/notes/")
    assert answer.exit_code == 0, answer.stderr
    folders = {path.name: path for path in (tmp_path / "notes").iterdir()}
    odd = next(name for name in folders if name.startswith("no-word_"))
    assert set(folders) == {ACME, GLOBEX, odd}
    assert all(len(list(folder.glob("*.md"))) == 2 for folder in folders.values())
    assert any('organization: "No/Word .."' in each.read_text() for each in folders[odd].iterdir())


@pytest.mark.usefixtures("tenants")
def test_an_export_of_all_tells_what_it_does_not_have(
    command: Command, database: Database, tmp_path: Path
) -> None:
    organizations.create(database, "vacant")

    every = command("export", "--all-orgs", "--output", tmp_path / "all.jsonl")
    some = command("export", "--all-orgs", "--user", "ann", "--output", tmp_path / "some.jsonl")
    into = command("export", "--all-orgs", "--to", "relay", "--output", tmp_path / "x.sql")

    assert "organizations without conversations are not included: vacant\n" in every.stderr
    assert "vacant" not in some.stderr
    assert into.exit_code == ExitCode.USAGE
    assert "--org KEY" in into.stderr
    assert not (tmp_path / "x.sql").exists()


@pytest.mark.parametrize("name", ["chat.docx", "chat.txt", "chat.tsv", "a.md.epub"])
@pytest.mark.usefixtures("tenants")
def test_no_export_is_written_under_a_name_of_another_format(command: Command, name: str) -> None:
    answer = command("export", "--all-orgs", "--output", name)

    assert answer.exit_code == ExitCode.USAGE
    assert f"{name} does not say which format to write" in answer.stderr
    assert "hint: use a file name that ends in .jsonl" in answer.stderr
    assert not Path(name).exists()
    named = command("export", "--all-orgs", "--to", "json", "--output", "x.jsonl")
    assert named.exit_code == ExitCode.USAGE
    assert not Path("x.jsonl").exists()


def test_what_is_deleted_is_not_kept_under_a_name_of_another_format(
    command: Command, tenants: tuple[Tenant, Tenant]
) -> None:
    identifier = str(tenants[0].conversations["ann"])
    for words in (
        ("conversations", "delete", identifier, "--org", ACME),
        ("organizations", "delete", GLOBEX),
    ):
        answer = command(*words, "--yes", "--keep-to", "kept.html")
        assert answer.exit_code == ExitCode.USAGE, words
    assert not Path("kept.html").exists()
    assert rows(command("conversations", "show", identifier, "--org", ACME, "--format", "json"))


def test_what_is_kept_names_its_organization(
    command: Command, tenants: tuple[Tenant, Tenant], run: Command
) -> None:
    identifier = str(tenants[0].conversations["ann"])
    command("conversations", "delete", identifier, "--org", ACME, "--yes", "--keep-to", "one.jsonl")
    command("organizations", "delete", GLOBEX, "--yes", "--keep-to", "all.jsonl")

    other = DatabaseUrl(dialect_name="sqlite", path=Path("other.db")).exposed()
    done = run("-d", other, "import", "one.jsonl", "all.jsonl", "--all-orgs")

    assert done.exit_code == 0, done.stderr
    assert f"made 2 organizations: {ACME}, {GLOBEX}" in done.stderr
    listed = rows(run("-d", other, "organizations", "list", "--format", "json"))
    assert {(row["key"], row["name"], row["conversations"]) for row in listed} == {
        (ACME, ACME, 1),
        (GLOBEX, "Globex [red]Ltd.", 2),
        ("default", "Default organization", 0),
    }


def test_the_readme_and_hints_call_no_export_of_one_organization_everything() -> None:
    root = Path(__file__).resolve().parents[2]
    files = [root / "README.md", *(root / "docs").glob("*.md"), *(root / "chatdb").rglob("*.py")]
    pattern = re.compile(r"chatdb export(?![^\n]*--all-orgs)[^\n]*(everything|all\.jsonl|backup)")

    assert [
        (path.name, found[0]) for path in files if (found := pattern.search(path.read_text()))
    ] == []
