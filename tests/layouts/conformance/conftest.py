"""The database that a subject is made in."""

from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.layouts.conformance.subjects import CASES, Subject


@pytest.fixture(
    params=[
        pytest.param(case, marks=[pytest.mark.postgresql] * (case[1] == "postgresql"))
        for case in CASES
    ],
    ids=lambda case: f"{case[0].name}-{case[1]}",
)
def subject(request: pytest.FixtureRequest) -> tuple[Subject, Any]:
    """A system, and the kind of database that it is tried on."""
    found: tuple[Subject, Any] = request.param
    return found


@pytest.fixture
def place(
    subject: tuple[Subject, Any], request: pytest.FixtureRequest, tmp_path: Path
) -> DatabaseUrl | Path:
    """An empty PostgreSQL database, or the name of a file in a folder of its own."""
    if subject[1] == "sqlite":
        folder = tmp_path / "theirs"
        folder.mkdir()
        return folder / "their.db"
    url: DatabaseUrl = request.getfixturevalue("empty_postgresql_url")
    return url
