"""Names of backups: what ours say, and what is read out of those of other tools."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.backups.names import (
    INDEX,
    MANIFEST,
    VERIFICATIONS,
    Part,
    archive_name,
    backup_name,
    read_file_name,
    safe_database,
)

AT = datetime(2026, 11, 25, 19, 33, tzinfo=UTC)


def test_a_backup_is_named_after_its_database_and_its_time() -> None:
    assert backup_name("relay_dev", AT) == "relay_dev_20261125T193300Z"
    assert archive_name(backup_name("relay", AT), "custom", compressed=True) == (
        "relay_20261125T193300Z.dump.zst"
    )


@pytest.mark.large
@given(
    database=st.text(min_size=1),
    seconds=st.integers(0, 30_000_000_000),
    part=st.sampled_from(["full", "schema-only", "data-only"]),
    number=st.integers(1, 99),
)
def test_every_name_of_ours_is_read_back(
    database: str, seconds: int, part: Part, number: int
) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    name = backup_name(database, at, part=part, number=number)

    for file in (archive_name(name, "custom", compressed=True), name + MANIFEST, name + INDEX):
        found = read_file_name(file)

        assert found is not None
        assert found.is_ours
        assert (found.backup, found.made_at, found.part) == (name, at, part)
        assert found.database == safe_database(database)


@pytest.mark.parametrize("database", ["../../etc", "a/b", ".hidden", "-d", "x" * 300, "a\nb\x1b"])
def test_no_database_name_leads_out_of_the_folder(database: str) -> None:
    name = backup_name(database, AT)

    assert "/" not in name
    assert not name.startswith((".", "-"))
    assert name.isprintable()
    assert len(name) < 200


def test_an_organizations_backup_tells_its_key() -> None:
    name = backup_name("relay", AT, part="organization", org="acme & sons")
    found = read_file_name(archive_name(name, "native", compressed=True))

    assert name == "relay_20261125T193300Z_org-acme---sons"
    assert found is not None
    assert (found.part, found.kind, found.database) == ("organization", "native", "relay")


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("relay_20261125T193300Z" + MANIFEST, "manifest"),
        ("relay_20261125T193300Z" + INDEX, "index"),
        ("relay_20261125T193300Z" + VERIFICATIONS, "verifications"),
        ("relay_20261125T193300Z.dir/3412.dat.zst", "archive"),
    ],
)
def test_the_files_of_a_backup_are_told_apart(name: str, role: str) -> None:
    found = read_file_name(name)

    assert found is not None
    assert (found.backup, found.role) == ("relay_20261125T193300Z", role)


@pytest.mark.parametrize(
    ("name", "database", "at", "kind", "compression"),
    [
        (
            *("relay_dev_20231220_143022.sql", "relay_dev"),
            *(datetime(2023, 12, 20, 14, 30, 22, tzinfo=UTC), "plain", None),
        ),
        (
            *("relay_dev_20231220_143022.sql.gz", "relay_dev"),
            *(datetime(2023, 12, 20, 14, 30, 22, tzinfo=UTC), "plain", "gz"),
        ),
        (
            *("backup-2024-01-31T10:20.dump", "backup"),
            *(datetime(2024, 1, 31, 10, 20, tzinfo=UTC), "custom", None),
        ),
        ("2024-01-31-relay.pgdump", "relay", datetime(2024, 1, 31, tzinfo=UTC), "custom", None),
        ("latest.dump", "latest", None, "custom", None),
        ("webui_20240131.sqlite3", "webui", datetime(2024, 1, 31, tzinfo=UTC), "sqlite", None),
        ("odd_99999999.sql", "odd_99999999", None, "plain", None),
    ],
)
def test_names_of_other_tools_are_read(
    name: str, database: str, at: datetime | None, kind: str, compression: str | None
) -> None:
    found = read_file_name(name)

    assert found is not None
    assert not found.is_ours
    assert (found.database, found.made_at, found.kind, found.compression) == (
        *(database, at, kind, compression),
    )


@pytest.mark.parametrize(
    "name", ["chatdb.db", "notes.txt", "export.jsonl", ".sql", "data.db-wal", "a/b.sql", ""]
)
def test_other_files_are_no_backups(name: str) -> None:
    assert read_file_name(name) is None
