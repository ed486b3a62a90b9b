"""`chatdb import` as a user meets it: files, reports, exit codes, trouble in the middle."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.records import organization_id_of
from tests.cli.conftest import Run
from tests.cli.importing import count_of, native
from tests.corpus_counts import CHATGPT, CLAUDE, NO_CHAT
from tests.operations.importing import (
    check_search,
    identifier,
)

Invoke = Callable[..., Any]


@pytest.fixture
def into(run: Invoke, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run `chatdb import` in this process on a migrated database of either kind."""
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    return lambda *words, **options: run("import", *words, **options)


def test_a_file_goes_in_and_again_changes_nothing(into: Invoke, tmp_path: Path) -> None:
    path = native(tmp_path / "chats.jsonl")

    first = into(path, "--format", "json")
    again = into(path, "--format", "json")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert json.loads(first.stdout)["new"] == 3
    assert json.loads(first.stdout)["messages_new"] == 6
    assert json.loads(again.stdout)["unchanged"] == 3
    assert "nothing new: all 3 conversations are here already" in again.stderr


def test_without_a_database_one_is_made(run: Invoke, tmp_path: Path) -> None:
    done = run("import", native(tmp_path / "chats.jsonl"))

    assert done.exit_code == 0
    assert Path("data/chatdb.db").exists()


def test_globs_are_expanded_and_every_file_is_in_the_report(into: Invoke, tmp_path: Path) -> None:
    for name in ("b", "a"):
        native(tmp_path / f"{name}.jsonl", 1, prefix=name)
    report = tmp_path / "report.json"

    done = into(tmp_path / "*.jsonl", "--report", report)

    assert done.exit_code == 0
    written = json.loads(report.read_text())
    assert [Path(each["path"]).name for each in written["files"]] == ["a.jsonl", "b.jsonl"]
    assert written["counts"]["new"] == 2
    assert all(each["counts"]["messages_new"] == 2 for each in written["files"])
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_standard_input_is_read(run_process: Run, sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    text = native(tmp_path / "chats.jsonl").read_text()

    done = run_process("import", "-", "-d", sqlite_url.exposed(), stdin=text)

    assert (done.exit_code, count_of(sqlite_url)) == (0, 3)


def test_a_path_that_does_not_exist_ends_it_before_anything_is_written(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    done = into(native(tmp_path / "chats.jsonl"), tmp_path / "missing.jsonl")

    assert done.exit_code == 5
    assert "missing.jsonl does not exist" in done.stderr
    assert count_of(database_url) == 0


def test_a_bad_conversation_is_named_and_stops_no_other(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    path = native(tmp_path / "chats.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b'{"id": "nonsense"}\n', *lines[2:]]))
    report = tmp_path / "report.json"

    done = into(path, "--report", report)

    assert done.exit_code == 7
    assert "chats.jsonl: line 3" in done.stderr
    assert count_of(database_url) == 3
    assert json.loads(report.read_text())["files"][0]["skipped"][0]["source_id"] == "nonsense"


def test_many_bad_ones_are_named_up_to_twenty(into: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(native(path, 1).read_bytes() + b"{}\n" * 30)

    done = into(path)

    assert done.exit_code == 7
    assert done.stderr.count("skipped") == 20
    assert "and 10 more" in done.stderr


def test_an_unreadable_file_alone_is_an_error_and_makes_no_database(
    run: Invoke, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are only notes")

    done = run("import", path)

    assert done.exit_code == 1
    assert not Path("data").exists()


def test_an_unreadable_file_among_several_is_named_and_the_others_go_in(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text("these are only notes")

    done = into(bad, native(tmp_path / "chats.jsonl"))

    assert done.exit_code == 7
    assert "notes.txt" in done.stderr
    assert count_of(database_url) == 3


def test_a_skipped_file_is_named_once(into: Invoke, tmp_path: Path) -> None:
    good = native(tmp_path / "chats.jsonl")
    bad = tmp_path / "list.json"
    bad.write_text('[{"some": "thing"}]')

    done = into(good, bad)

    assert done.exit_code == 7
    assert done.stderr.count("list.json") == 1
    assert "list.json: it is JSON but not a chat export" in done.stderr


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[{"title": "caf\xe9", "mapping": {}}]', "not UTF-8: byte 0xe9"),
        (b'[{"title": "cut', "the file ends inside the value"),
    ],
    ids=["another encoding", "cut"],
)
def test_why_a_file_cannot_be_recognised_is_said(
    into: Invoke, tmp_path: Path, content: bytes, expected: str
) -> None:
    path = tmp_path / "chats.json"
    path.write_bytes(content)

    done = into(path)

    assert done.exit_code == 1
    assert f"chats.json cannot be read as JSON: {expected}" in done.stderr


def test_a_report_that_cannot_be_written_does_not_hide_the_import(
    into: Invoke, tmp_path: Path
) -> None:
    report = tmp_path / ("x" * 250)  # too long once .partial stands behind it

    done = into(native(tmp_path / "chats.jsonl"), "--report", report, "--format", "json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["new"] == 3
    assert "the import itself is complete" in done.stderr


def test_the_same_export_in_two_organizations_is_two(
    into: Invoke, run: Invoke, tmp_path: Path
) -> None:
    path = native(tmp_path / "chats.jsonl", 1)
    only_here = native(tmp_path / "other.jsonl", 1, prefix="own")
    into(path, only_here, "--org", "one")

    into(path, "--org", "two")

    same, own = (identifier(name) for name in ("talk0", "own0"))
    assert run("conversations", "show", same, "--org", "two").exit_code == 0
    assert run("conversations", "show", own, "--org", "two").exit_code == 5
    assert run("export", "--id", own, "--org", "two").exit_code == 5
    assert run("conversations", "delete", own, "--org", "two", "--yes").exit_code == 5
    assert run("conversations", "delete", same, "--org", "two", "--yes").exit_code == 0
    assert run("conversations", "show", same, "--org", "one").exit_code == 0
    assert run("search", "text", "--org", "two").stdout == ""


def test_a_dry_run_tells_all_and_writes_nothing(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    done = into(native(tmp_path / "chats.jsonl"), "--dry-run", "--org", "acme", "--format", "json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["new"] == 3
    assert count_of(database_url) == 0
    assert count_of(database_url, schema.log) == count_of_log_before(database_url)
    assert count_of(database_url, schema.organizations) == 1


def count_of_log_before(url: DatabaseUrl) -> int:
    with Database.open(url) as database, database.transaction() as connection:
        query = sa.select(sa.func.count()).where(schema.log.c.kind != "import")
        return connection.scalar(query) or 0


def test_a_dry_run_without_a_database_makes_none(run: Invoke, tmp_path: Path) -> None:
    done = run("import", native(tmp_path / "chats.jsonl"), "--dry-run", "--format", "json")

    assert json.loads(done.stdout)["new"] == 3
    assert not Path("data").exists()


def test_explain_needs_no_database(run: Invoke, tmp_path: Path) -> None:
    path = native(tmp_path / "chats.jsonl")

    done = run("import", path, "--explain", "--format", "json")

    (row,) = json.loads(done.stdout)
    assert (row["format"], row["conversations"], row["messages"]) == ("jsonl", 3, 6)
    assert not Path("data").exists()


def test_a_new_organization_is_made_and_named(into: Invoke, tmp_path: Path) -> None:
    done = into(native(tmp_path / "chats.jsonl"), "--org", "acme")

    assert "made the organization acme" in done.stderr


def test_the_index_left_off_is_told_of_and_built_on_demand(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    first = into(native(tmp_path / "chats.jsonl"), "--no-search-index")
    second = into("--build-search-index")

    assert "chatdb search-index rebuild" in first.stderr
    assert second.exit_code == 0
    with Database.open(database_url) as database:
        check_search(database, "m1", 3)


def test_import_of_nothing_is_a_usage_error(run: Invoke) -> None:
    assert run("import").exit_code == 2


def test_an_unmigrated_database_is_told_so(
    run: Invoke, empty_postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    done = run("import", native(tmp_path / "a.jsonl"), "-d", empty_postgresql_url.exposed())

    assert done.exit_code == 4


@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_a_database_behind_or_ahead_is_refused(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path, revision: str
) -> None:
    path = native(tmp_path / "chats.jsonl")
    assert into(path).exit_code == 0  # what holds no conversation is brought to head, on SQLite
    with Database.open(database_url) as database, database.transaction(write=True) as connection:
        connection.execute(sa.text(f"UPDATE chatdb_version SET version_num = '{revision}'"))

    assert into(path).exit_code == 4


def test_files_that_are_left_out_are_listed_and_alarm_where_words_are_lost(
    into: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    native(folder / "conversations (1).json", 2)
    (folder / "grok.json").write_text('{"conversation": {"title": "x"}, "responses": []}')
    for number in range(30):
        (folder / f"file-{number}.dat").write_bytes(b"\x89PNG")
    report = tmp_path / "report.json"

    shown = into(folder, "--report", report)
    listed = into(folder, "--format", "json")

    assert (shown.exit_code, count_of(database_url)) == (7, 2)
    assert "a picture (PNG): 30" in shown.stdout
    assert shown.stderr.count("file-") == 0
    assert "grok.json: a Grok export" in shown.stderr
    ignored = json.loads(listed.stdout)["ignored_files"]
    assert len(ignored) == 31
    assert {each["place"] for each in ignored if each["holds_words"]} == {str(folder / "grok.json")}
    assert json.loads(report.read_text())["files"][0]["ignored_files"] == ignored


def test_a_folder_that_holds_no_words_beside_its_chats_is_no_alarm(
    into: Invoke, tmp_path: Path
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    native(folder / "chats.jsonl", 1)
    (folder / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")

    done = into(folder)

    assert (done.exit_code, done.stderr.count("warning")) == (0, 0)
    assert "settings of a folder on macOS" in done.stdout


@pytest.mark.corpus
def test_the_real_exports_go_in_with_the_counts_of_their_notes(
    into: Invoke, corpus: Path, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    expected = {f"chatgpt/{name}": counts for name, counts in CHATGPT.items()}
    expected |= {f"claude-ai/{name}": counts for name, counts in CLAUDE.items()}
    names = [
        path.relative_to(corpus).as_posix()
        for folder in ("chatgpt", "claude-ai")
        for path in (corpus / folder).iterdir()
    ]
    assert sorted(names) == sorted([*expected, f"claude-ai/{NO_CHAT}"])
    for name, counts in expected.items():
        report = tmp_path / "report.json"
        done = into(corpus / name, "--report", report, "--org", name)
        told = json.loads(report.read_text())["counts"]
        again = into(corpus / name, "--org", name, "--format", "json")
        assert (told["new"], told["skipped"]) == (counts.conversations, counts.skipped), name
        assert stored_roles(database_url, name) == counts.roles, name
        assert done.exit_code == (7 if counts.skipped else 0), name
        assert json.loads(again.stdout)["unchanged"] == counts.conversations, name
    assert into(corpus / "claude-ai" / NO_CHAT).exit_code == 1


def stored_roles(url: DatabaseUrl, organization_key: str) -> dict[str, int]:
    """Return how many messages of each role an organization has."""
    columns = schema.messages.c
    query = (
        sa.select(columns.role, sa.func.count())
        .where(columns.organization_id == organization_id_of(organization_key))
        .group_by(columns.role)
    )
    with Database.open(url) as database, database.transaction() as connection:
        return {row.role: row[1] for row in connection.execute(query)}
