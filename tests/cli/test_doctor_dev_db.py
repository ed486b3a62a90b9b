"""What `chatdb doctor` says of a project's development server, and that it only looks."""

import json
from pathlib import Path
from typing import Any

from chatdb.operations.dev_db.memory import project_at
from tests.cli.dev_projects import Run


def said(run: Run) -> dict[str, Any] | None:
    """Return the finding on the development server; None where there is none."""
    result = run(
        *("doctor", "--fail-on", "never", "--format", "json"),
        env={"PATH": "/nowhere"},  # Docker's programs take their time, and are another test's
    )
    assert result.exit_code == 0, result.stderr
    found = [row for row in json.loads(result.stdout) if row["id"] == "dev-db"]
    return found[0] if found else None


def test_the_doctor_tells_whether_the_development_server_runs(run: Run, project: Path) -> None:
    assert said(run) is None
    assert list(project.iterdir()) == []

    assert run("dev-db", "up", "--engine", "embedded").exit_code == 0
    server = project_at(project).load()
    assert server is not None
    running = said(run)
    assert run("dev-db", "stop").exit_code == 0
    before = sorted(project.rglob("*"))
    stopped = said(run)

    assert running is not None
    assert running["severity"] == "ok"
    assert str(server.port) in running["text"]
    assert stopped is not None
    assert (stopped["severity"], stopped["fix"]) == ("info", "chatdb dev-db up")
    assert sorted(project.rglob("*")) == before


def test_what_is_remembered_and_cannot_be_read_is_a_finding(run: Run, project: Path) -> None:
    (project / ".chatdb").mkdir()
    (project / ".chatdb/dev-db.json").write_text("{")

    found = said(run)

    assert found is not None
    assert found["severity"] == "error"
    assert "dev-db.json was not written by chatdb, or is damaged" in found["text"]
