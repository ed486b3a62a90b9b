"""Tenants out of one database and into another, and a file of several into one organization."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ExitCode
from chatdb.operations.organizations import organizations
from tests.operations.conversation_rows import add_conversation
from tests.operations.export_rows import every_shape, insert
from tests.operations.tenants import ACME, GLOBEX, two_tenants

Run = Callable[..., Any]


@pytest.fixture
def source(database: Database) -> DatabaseUrl:
    """Three organizations of every shape; one id is in two of them."""
    first, _ = two_tenants(database)
    insert(database, every_shape())
    organizations.rename(database, ACME, "Acme “Ltd.”\u202e")
    same = first.conversations["ann"]
    add_conversation(database, ["another talk"], number=40, organization=GLOBEX, id=same)
    return database.url


@pytest.fixture
def target(source: DatabaseUrl, request: pytest.FixtureRequest) -> DatabaseUrl:
    """An empty database of the other kind."""
    other = "postgresql" if source.path is not None else "sqlite"
    url: DatabaseUrl = request.getfixturevalue(f"{other}_url")
    return url


def lines_of(run: Run, url: DatabaseUrl, *words: str) -> list[bytes]:
    """Return what an export writes, but for its header."""
    answer = run("-d", url.exposed(), "export", *words)
    assert answer.exit_code == 0, answer.stderr
    return list(answer.stdout_bytes.split(b"\n")[1:])


def listed(run: Run, url: DatabaseUrl) -> set[tuple[Any, ...]]:
    found = run("-d", url.exposed(), "organizations", "list", "--format", "json").stdout
    names = ("id", "key", "name", "users", "conversations", "messages")
    return {tuple(row[name] for name in names) for row in json.loads(found)}


def imported(run: Run, url: DatabaseUrl, *words: object, code: int = 0) -> tuple[Any, str]:
    """Return the summary of an import and what it says."""
    answer = run("-d", url.exposed(), "import", *words, "--format", "json")
    assert answer.exit_code == code, answer.stderr
    return json.loads(answer.stdout), answer.stderr


@pytest.mark.large
@pytest.mark.postgresql
def test_three_organizations_go_into_a_database_of_the_other_kind_and_are_the_same(
    run: Run, source: DatabaseUrl, target: DatabaseUrl, tmp_path: Path
) -> None:
    path = tmp_path / "all.jsonl.zst"
    assert run("-d", source.exposed(), "export", "--all-orgs", "--output", path).exit_code == 0

    summary, said = imported(run, target, path, "--all-orgs")
    again, said_again = imported(run, target, path, "--all-orgs")

    count = len(every_shape()) + 5
    assert (summary["new"], summary["skipped"], again["unchanged"]) == (count, 0, count)
    assert "made 2 organizations: " in said
    assert "made" not in said_again
    assert lines_of(run, target, "--all-orgs") == lines_of(run, source, "--all-orgs")
    assert listed(run, target) == listed(run, source)


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(
    run: Run, source: DatabaseUrl, tmp_path: Path
) -> None:
    path = tmp_path / "all.jsonl"
    run("-d", source.exposed(), "export", "--all-orgs", "--output", path)
    new = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "new.db")

    summary, said = imported(run, new, path, "--all-orgs", "--dry-run")

    assert summary["new"] == len(every_shape()) + 5
    assert "would make 2 organizations: " in said
    assert not (tmp_path / "new.db").exists()
    _, known = imported(run, source, path, "--all-orgs", "--dry-run")
    assert "would make" not in known


def test_without_the_option_all_goes_into_the_one_and_no_other(
    run: Run, source: DatabaseUrl, tmp_path: Path
) -> None:
    path, report = tmp_path / "all.jsonl", tmp_path / "report.json"
    run("-d", source.exposed(), "export", "--all-orgs", "--output", path)
    before = listed(run, source)

    summary, said = imported(
        run, source, path, "--org", "mine", "--report", report, code=ExitCode.PARTIAL
    )

    count = len(every_shape()) + 4
    assert (summary["new"], summary["skipped"]) == (count, 1)
    assert "made the organization mine" in said
    assert "what was not skipped went into the organization mine, though the file names " in said
    assert f"{ACME} (2)" in said
    assert f"{GLOBEX} (3)" in said
    assert "--all-orgs imports each conversation into its own" in said
    assert f"it is of the organization {ACME}, and the one of {GLOBEX} with the same id" in said
    after = listed(run, source)
    assert before < after
    assert [row[1] for row in after - before] == ["mine"]
    told = json.loads(report.read_text())
    assert told["organizations_made"] == ["mine"]
    assert told["all_organizations"] is False
    assert told["files"][0]["organizations"] == {
        ACME: 2,
        GLOBEX: 3,
        "default": len(every_shape()),
    }


@pytest.mark.large
def test_a_file_of_one_organization_into_itself_says_nothing_of_it(
    run: Run, source: DatabaseUrl, tmp_path: Path
) -> None:
    path = tmp_path / "acme.jsonl"
    run("-d", source.exposed(), "export", "--org", ACME, "--output", path)

    summary, said = imported(run, source, path, "--org", ACME)

    assert (summary["unchanged"], summary["skipped"]) == (2, 0)
    assert "organization" not in said
    explained = run("import", path, "--explain", "--format", "json").stdout
    assert json.loads(explained)[0]["organizations"] == {ACME: 2}


def test_a_file_of_an_earlier_version_goes_in_as_before(run: Run, sqlite_url: DatabaseUrl) -> None:
    """With the very lines that version 1 wrote before it named organizations."""
    time = '"created_at":"2026-01-31T12:00:00Z"'
    talk = (
        '{"id":"00000000-0000-0000-0000-000000000001","title":"Old",' + time + ","
        '"updated_at":"2026-01-31T12:00:00Z","source":"chatgpt","source_hash":"h","messages":'
        '[{"id":"00000000-0000-0000-0000-000000000002","role":"user","content":"x",' + time + "}]}"
    )
    Path("old.jsonl").write_text('{"format":"chatdb","version":1}\n' + talk + "\n")

    _, said = imported(run, sqlite_url, "old.jsonl", "--org", ACME)
    summary, told = imported(run, sqlite_url, "old.jsonl", "--all-orgs")

    assert "all of it" not in said
    assert summary["new"] == 1
    assert "conversations that name no organization went into default" in told
    for key in (ACME, "default"):
        (line, _) = lines_of(run, sqlite_url, "--org", key)
        record = json.loads(line)
        assert record.pop("organization") == key
        record.pop("organization_name", None)
        assert record == json.loads(talk)


def test_converting_keeps_the_organizations(run: Run, source: DatabaseUrl, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    run("-d", source.exposed(), "export", "--all-orgs", "--output", path)

    assert run("convert", path, tmp_path / "again.jsonl.gz").exit_code == 0
    assert run("convert", tmp_path / "again.jsonl.gz", tmp_path / "third.jsonl").exit_code == 0
    assert run("convert", path, tmp_path / "all.json").exit_code == 0

    first, third = (
        each.read_bytes().split(b"\n", 1)[1] for each in (path, tmp_path / "third.jsonl")
    )
    assert first == third
    keys = {record["organization"] for record in json.loads((tmp_path / "all.json").read_bytes())}
    assert keys == {ACME, GLOBEX, "default"}


@pytest.mark.large
def test_a_hostile_organization_is_skipped_and_named(
    run: Run, source: DatabaseUrl, tmp_path: Path
) -> None:
    path = tmp_path / "acme.jsonl"
    run("-d", source.exposed(), "export", "--org", ACME, "--output", path)
    text = path.read_text()
    first = text.replace('"organization":"acme"', '"organization":"a\\u001b[31m"', 1)
    path.write_text(first.replace('"organization":"acme"', '"organization":7', 1))
    before = listed(run, source)

    summary, said = imported(run, source, path, "--all-orgs", code=ExitCode.PARTIAL)

    assert summary["skipped"] == 2
    assert "invalid organization key" in said
    assert "\x1b" not in said
    assert listed(run, source) == before
