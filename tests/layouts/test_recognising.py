"""One recogniser a system: what import reads, migrate refuses to build among, by the same name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chatdb.layouts
from chatdb.db.migrating.revision import look
from chatdb.db.url import DatabaseUrl
from chatdb.layouts.opening import open_foreign
from chatdb.layouts.recognising import systems
from chatdb.layouts.registry import recognise
from tests.layouts.conformance.subjects import SUBJECTS
from tests.layouts.foreign_databases import make_postgresql, make_sqlite

Run = Callable[..., Any]

FOLDERS = sorted(
    file.parent.name for file in Path(chatdb.layouts.__file__).parent.glob("*/__init__.py")
)
IN_THE_WAY = "CREATE TABLE tombstones (id text)"
"""A table with one of chatdb's names: some systems have none."""


def test_every_folder_is_a_system_named_as_the_folder() -> None:
    assert len(FOLDERS) >= 5

    assert [system.name.replace("-", "_") for system in systems()] == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_system_is_recognised_by_import_and_by_the_refusal_to_migrate(
    run: Run, empty_postgresql_url: DatabaseUrl, folder: str
) -> None:
    name = folder.replace("_", "-")
    (subject,) = [each for each in SUBJECTS if each.name == name]
    url = make_postgresql(empty_postgresql_url, *subject.tables("postgresql"), IN_THE_WAY)

    with open_foreign(url) as foreign:
        found = recognise(foreign)
    words = "--database-url", url.exposed()
    refused = [run("migrate", *words), run("migrate", "--plan", *words)]

    assert found.layout.system.name == name
    for answer in refused:
        assert answer.exit_code == 6
        assert f"this looks like {found.layout.system.title}; nothing was changed" in answer.stderr
    assert look(url).state == "not_chatdb"


def test_a_system_in_a_sqlite_file_is_recognised_by_both(run: Run, tmp_path: Path) -> None:
    on_sqlite = [subject for subject in SUBJECTS if "sqlite" in subject.engines]
    assert on_sqlite
    for subject in on_sqlite:
        system = subject.system
        path = tmp_path / f"{system.name}.db"
        url = make_sqlite(path, *subject.tables("sqlite"), IN_THE_WAY)

        with open_foreign(url) as foreign:
            found = recognise(foreign)
        answer = run("migrate", "--database-url", f"sqlite:///{path}")

        assert found.layout.system == system
        assert answer.exit_code == 6
        assert f"this looks like {system.title}; nothing was changed" in answer.stderr
        assert "then import the chats with chatdb import" in answer.stderr


@pytest.mark.parametrize(
    ("system", "tables"),
    [
        (
            "Chainlit",
            [
                'CREATE TABLE steps ("threadId" text)',
                'CREATE TABLE threads ("userIdentifier" text)',
            ],
        ),
        (
            "Letta",
            [
                "CREATE TABLE agents (id text)",
                "CREATE TABLE messages (id text, agent_id text, sequence_id int)",
            ],
        ),
    ],
)
def test_a_known_system_that_is_not_read_is_named_by_both(
    run: Run, tmp_path: Path, system: str, tables: list[str]
) -> None:
    path = make_sqlite(tmp_path / "theirs.db", *tables, IN_THE_WAY).sqlite_path

    imported = run("import", str(path), "--explain")
    migrated = run("migrate", "--database-url", f"sqlite:///{path}")

    assert imported.exit_code == 1
    assert f"looks like {system}'s database, which chatdb does not read yet" in imported.stderr
    assert migrated.exit_code == 6
    assert f"this looks like {system}'s database; nothing was changed" in migrated.stderr
    assert "chatdb import" not in migrated.stderr
