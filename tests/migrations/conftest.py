"""Chains of scripts with a revision more, and databases with rows in every table."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import AppliedRevision
from chatdb.db.migrating.scripts import head_revision, migrations_directory, scripts
from chatdb.db.url import DatabaseUrl
from chatdb.records import organization_id_of
from tests.postgres_server import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
NEXT = f"{int(head_revision()) + 1:04d}"
"""The revision that `longer_chain` adds."""

WriteScript = Callable[..., Path]

_SCRIPT = '''"""{title}."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
{upgrade}


def downgrade() -> None:
{downgrade}
'''


class Listener:
    """Keeps what a migration tells."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.revisions: list[AppliedRevision] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def applied(self, revision: AppliedRevision) -> None:
        self.revisions.append(revision)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def longer_chain(tmp_path: Path) -> WriteScript:
    """Write the real scripts and one more into a folder: `longer_chain("op.execute(...)")`."""
    folder = tmp_path / "scripts, with a space"

    def write(upgrade: str, downgrade: str = "pass", *, title: str = "Test only") -> Path:
        if not folder.exists():
            folder.mkdir()
            for path in (migrations_directory() / "versions").glob("*.py"):
                shutil.copy(path, folder)
        text = _SCRIPT.format(
            title=title,
            revision=NEXT,
            down=head_revision(),
            upgrade=_indented(upgrade),
            downgrade=_indented(downgrade),
        )
        (folder / f"{NEXT}_test_only.py").write_text(text)
        scripts.cache_clear()
        return folder

    return write


def _indented(code: str) -> str:
    return "\n".join("    " + line for line in code.strip("\n").splitlines())


def fill(database: Database, conversations: int = 3, messages: int = 4) -> None:
    """Put rows into every table, with words to find."""
    organization, now = organization_id_of("default"), datetime.now(UTC)
    with database.transaction(write=True) as connection:
        for _ in range(conversations):
            key = {"organization_id": organization, "conversation_id": uuid4()}
            connection.execute(
                schema.conversations.insert().values(
                    organization_id=organization,
                    id=key["conversation_id"],
                    title="a title",
                    created_at=now,
                    updated_at=now,
                    metadata={},
                )
            )
            rows = [
                {
                    **key,
                    "id": uuid4(),
                    "position": position,
                    "role": "user",
                    "content": f"lantern number {position}",
                    "metadata": {},
                    "created_at": now,
                }
                for position in range(messages)
            ]
            connection.execute(schema.messages.insert(), rows)
            connection.execute(
                schema.snapshots.insert(),
                {**key, "id": uuid4(), "state": {"a": 1}, "created_at": now},
            )
            connection.execute(
                schema.message_embeddings.insert(),
                {**key, "message_id": rows[0]["id"], "model": "m", "vector": [0.5]},
            )
            connection.execute(
                schema.tombstones.insert(), {**key, "message_id": uuid4(), "deleted_at": now}
            )


def counts(database: Database) -> dict[str, int]:
    """Count the rows of the core tables."""
    tables = (schema.conversations, schema.messages, schema.snapshots, schema.tombstones)
    with database.transaction() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in tables
        }


def start_migrator(url: DatabaseUrl, directory: Path | None = None) -> subprocess.Popen[str]:
    """Start a migrator as a process; its lines come on stdout."""
    words = [sys.executable, "-m", "tests.migrations.migrator", url.exposed()]
    if directory is not None:
        words.append(str(directory))
    return subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


@pytest.fixture
def bare_role(empty_postgresql_url: DatabaseUrl, postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """The empty database, as a role that may log in and no more."""
    name = f"bare_{empty_postgresql_url.database}"
    postgres.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    try:
        yield replace(empty_postgresql_url, user=name, password="x")
    finally:
        postgres.execute(f"DROP ROLE {name}")
