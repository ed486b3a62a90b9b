"""Importing from other systems' databases, and what the report says of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.exporting.exports import read_conversations
from chatdb.records import Conversation
from chatdb.store.selecting import ConversationFilter
from tests.postgres_server import PostgresServer


@dataclass(frozen=True)
class Imported:
    """An import's exit code, streams and report, and the records of one organization since."""

    exit_code: int
    stdout: str
    stderr: str
    report: dict[str, Any]
    url: DatabaseUrl

    @property
    def rows(self) -> dict[str, dict[str, int]]:
        """What became of the rows of each table."""
        found: dict[str, dict[str, int]] = self.report["files"][0]["rows"]
        return found

    @property
    def skipped(self) -> list[dict[str, str]]:
        """What is not in the database."""
        found: list[dict[str, str]] = self.report["files"][0]["skipped"]
        return found

    def records(self, organization: str = "default") -> list[Conversation]:
        """Return what an organization has, by id."""
        with Database.open(self.url) as database:
            wanted = ConversationFilter()
            return list(read_conversations(database, wanted, organization_key=organization))

    def record(self, title: str, organization: str = "default") -> Conversation:
        """Return the one conversation with a title."""
        (found,) = [each for each in self.records(organization) if each.title == title]
        return found


ImportFrom = Callable[..., Imported]


@pytest.fixture
def import_from(
    run: Callable[..., Any],
    sqlite_url: DatabaseUrl,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> ImportFrom:
    """Run `chatdb import` of a database or its dump into a migrated SQLite file, as good as any."""
    monkeypatch.setenv("DATABASE_URL", sqlite_url.exposed())
    report = tmp_path / "report.json"

    def invoke(source: DatabaseUrl | Path, *words: str) -> Imported:
        report.unlink(missing_ok=True)
        typed = str(source) if isinstance(source, Path) else source.exposed()
        done = run("import", typed, "--report", str(report), *words)
        told = json.loads(report.read_text()) if report.exists() else {}
        return Imported(done.exit_code, done.stdout, done.stderr, told, sqlite_url)

    return invoke


@pytest.fixture
def postgres_with_vector(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> DatabaseUrl:
    """An empty database of a server that has pgvector: the wheel's 18, not Debian's 15."""
    postgres.require_pgvector()
    return empty_postgresql_url
