"""`chatdb backup`: made, listed, shown and verified from the command line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages
from chatdb.db.url import DatabaseUrl
from tests.operations.conversation_rows import add_conversation, add_organization

Run = Callable[..., Any]


@pytest.fixture
def url(sqlite_url: DatabaseUrl) -> str:
    with Database.open(sqlite_url) as database:
        add_conversation(database, ["salt", "pepper"], title="\x1b[31mTitle")
        add_organization(database, "acme")
    return sqlite_url.exposed()


def backup_of(run: Run, url: str, *words: str) -> dict[str, Any]:
    done = run("backup", *words, "-d", url, "--format", "json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_backup_alone_makes_one_and_says_what_is_in_it(run: Run, url: str) -> None:
    done = run("backup", "-d", url)

    file, what = done.stdout.splitlines()
    assert Path(file).is_file()
    assert file.startswith("backups/chatdb_")
    assert ", 1 conversation, 2 messages, revision " in what
    assert f" backup verify --restore {file}" in done.stderr


def test_options_work_with_and_without_the_word_create(run: Run, url: str, tmp_path: Path) -> None:
    for words in (["create"], []):
        made = backup_of(run, url, *words, "--output", str(tmp_path / "elsewhere"))

        assert Path(made["file"]).parent == tmp_path / "elsewhere"
        assert (made["state"], made["kind"], made["messages"]) == ("complete", "sqlite", 2)


def test_only_a_typed_organization_narrows_a_backup(run: Run, url: str) -> None:
    whole = json.loads(
        run("backup", "-d", url, "--format", "json", env={"CHATDB_ORG": "acme"}).stdout
    )
    one = backup_of(run, url, "--org", "default")

    assert (whole["part"], whole["organization"]) == ("full", None)
    assert (one["part"], one["organization"], one["kind"]) == ("organization", "default", "native")


def test_the_list_tells_age_size_and_when_it_was_verified(run: Run, url: str) -> None:
    first, second = (backup_of(run, url) for _ in range(2))
    Path("backups/relay_dev_20231220_143022.sql").write_text("SELECT 1;\n")
    run("backup", "verify", first["name"])

    done = run("backup", "list")
    rows = json.loads(run("backup", "list", "--format", "json").stdout)

    assert [row["name"] for row in rows] == [
        *(second["name"], first["name"], "relay_dev_20231220_143022.sql"),
    ]
    assert [row["verified_by"] for row in rows] == [None, "files", None]
    assert "place: backups" in done.stderr
    assert "never" in done.stdout
    assert "another tool's" in done.stdout
    assert "just now" in done.stdout


def test_an_empty_place_is_an_empty_list(run: Run) -> None:
    done = run("backup", "list", "--format", "json")

    assert (done.exit_code, done.stdout) == (0, "[]\n")
    assert "there are no backups in backups" in run("backup", "list").stderr
    assert not Path("backups").exists()


def test_show_has_every_count_and_checksum(run: Run, url: str) -> None:
    made = backup_of(run, url)

    shown = json.loads(run("backup", "show", "latest", "--format", "json").stdout)
    table = run("backup", "show", made["file"]).stdout

    assert shown["rows"]["messages"] == 2
    assert {file["name"] for file in shown["files"]} == {
        Path(made["file"]).name,
        made["name"] + ".conversations.zst",
    }
    assert len(shown["organizations"]) == 2
    assert shown["content_hash"] in json.dumps(shown)
    assert "SHA-256" in table
    assert "acme" in table


def test_a_whole_backup_passes_and_a_damaged_one_fails(run: Run, url: str) -> None:
    made = backup_of(run, url)
    good = run("backup", "verify", "latest")
    path = Path(made["file"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)

    bad = run("backup", "verify", "latest", "--format", "json")
    row = json.loads(run("backup", "list", "--format", "json").stdout)[0]

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert f"{made['name']} is intact" in good.stdout
    answer = json.loads(bad.stdout)
    assert (answer["passed"], answer["way"]) == (False, "files")
    assert "checksum mismatch" in answer["problems"][0]
    assert row["problem"].startswith("verification failed: ")
    assert row["verified_at"] is not None  # it did pass before


def test_a_swapped_file_is_noticed(run: Run, url: str, sqlite_url: DatabaseUrl) -> None:
    first = backup_of(run, url)
    with Database.open(sqlite_url) as database:
        add_conversation(database, ["later"], number=2)
    second = backup_of(run, url)
    shutil.copy(second["file"], first["file"])

    done = run("backup", "verify", first["name"])

    assert done.exit_code == 1
    assert f"{first['name']}.db.zst is " in done.stdout


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("-- PostgreSQL database dump\n\nCREATE TABLE x ();\n", "is truncated"),
        ("", "is empty"),
        ("the disk was full\n", "is not a dump"),
        ("-- PostgreSQL database dump\n--\n-- PostgreSQL database dump complete\n--\n", None),
    ],
)
def test_plain_dumps_of_other_tools_are_verified(
    run: Run, tmp_path: Path, text: str, problem: str | None
) -> None:
    path = tmp_path / "relay_dev_20231220_143022.sql"
    path.write_text(text)

    done = run("backup", "verify", str(path))

    assert done.exit_code == (0 if problem is None else 1)
    assert problem is None or problem in done.stdout


@pytest.mark.parametrize("words", [("show", "nothing"), ("verify", "/no/where.dump")])
def test_a_backup_that_is_not_there_is_not_found(run: Run, words: tuple[str, ...]) -> None:
    done = run("backup", *words)

    assert done.exit_code == 5
    assert "there is no backup" in done.stderr


def test_a_backup_is_verified_by_restoring_it(run: Run, url: str, sqlite_url: DatabaseUrl) -> None:
    made = backup_of(run, url)

    done = run("backup", "verify", "latest", "--restore", "-d", url)

    assert (done.exit_code, done.stdout[: len(made["name"])]) == (0, made["name"])
    row = json.loads(run("backup", "list", "--format", "json").stdout)[0]
    assert row["verified_by"] == "restore"
    assert [path.name for path in sqlite_url.sqlite_path.parent.glob("*restore*")] == []


def test_diff_names_what_appeared_vanished_and_changed(
    run: Run, url: str, sqlite_url: DatabaseUrl
) -> None:
    with Database.open(sqlite_url) as database:
        gone = add_conversation(database, ["gone"], number=2)
        add_conversation(database, ["stays"], number=3)
        before = backup_of(run, url)
        with database.transaction(write=True) as connection:
            connection.execute(sa.delete(conversations).where(conversations.c.id == gone))
            connection.execute(sa.delete(messages).where(messages.c.content == "pepper"))
        new = add_conversation(database, ["new"] * 3, number=4)
    backup_of(run, url)

    done = run("backup", "diff", before["name"], "--format", "json")
    table = run("backup", "diff", before["name"], "latest")

    rows = {row["change"]: row for row in json.loads(done.stdout)}
    assert [rows[word]["id"] for word in ("appeared", "vanished")] == [str(new), str(gone)]
    assert (rows["changed"]["messages_before"], rows["changed"]["messages_after"]) == (2, 1)
    assert {row["organization"] for row in rows.values()} == {"default"}
    assert "1 appeared, 1 vanished, 1 changed" in done.stderr
    assert "\x1b" not in table.stdout


def test_diff_of_equal_backups_is_empty(run: Run, url: str) -> None:
    made = backup_of(run, url)

    done = run("backup", "diff", made["name"], made["file"], "--format", "jsonl")

    assert (done.exit_code, done.stdout) == (0, "")


def test_diff_wants_lists_of_conversations(run: Run, url: str) -> None:
    backup_of(run, url)
    Path("old.sql").write_text("SELECT 1;\n")

    done = run("backup", "diff", "old.sql")

    assert done.exit_code == 2
    assert "old.sql does not have a list of its conversations" in done.stderr


def test_two_answers_to_one_question_are_refused(run: Run, url: str) -> None:
    done = run("backup", "--schema-only", "--data-only", "-d", url)

    assert done.exit_code == 2
    assert "choose one of" in done.stderr


def test_what_a_killed_backup_left_is_removed_by_the_next(run: Run, url: str) -> None:
    left = Path("backups/chatdb_20200101T000000Z.partial")
    left.mkdir(parents=True)
    (left / "copy.db").write_bytes(b"half")

    done = run("backup", "-d", url)

    assert not left.exists()
    assert "removed chatdb_20200101T000000Z, an interrupted backup" in done.stderr


def test_help_of_the_group_lists_its_commands(run: Run) -> None:
    done = run("backup", "--help")

    assert done.exit_code == 0
    assert "verify" in done.stdout
