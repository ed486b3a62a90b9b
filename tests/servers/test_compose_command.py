"""`chatdb dev-db` on a real container engine, as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import container_engine as engines
from tests.servers.container_engine import ContainerEngine

pytestmark = pytest.mark.xdist_group("containers")


def typed(engine: ContainerEngine, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run chatdb in a project's folder."""
    return subprocess.run(
        [sys.executable, "-m", "chatdb", *words],
        cwd=folder,
        env=dict(engine.environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


@pytest.mark.large
def test_dev_db_makes_migrates_and_removes_a_server_in_a_container(
    any_compose: ContainerEngine, tmp_path: Path
) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / ".env").write_text("CHATDB_DEV_MEMORY=300m\n")

    def chatdb(*words: str) -> str:
        done = typed(any_compose, folder, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status() -> dict[str, str]:
        told: dict[str, str] = json.loads(chatdb("dev-db", "status", "--format", "json"))
        return told

    try:
        up = ("dev-db", "up", "--engine", "compose", "--port", "auto", "--migrate", "--write-env")
        assert "(compose) made" in chatdb(*up)
        assert "127.0.0.1" in (folder / ".env").read_text()
        assert "was already running" in chatdb("dev-db", "up")
        told = status()
        assert told["engine"] == "compose"
        assert (told["state"], told["schema_state"]) == ("running", "current")
        limit = ("inspect", "--format", "{{.HostConfig.Memory}}", told["process"])
        assert any_compose.docker(*limit) == str(300 * 1024 * 1024)
        found = json.loads(chatdb("doctor", "--fail-on", "never", "--format", "json"))
        assert [row["severity"] for row in found if row["id"] == "dev-db"] == ["ok"]
        chatdb("dev-db", "down", "--volumes", "--yes")
        assert status()["state"] == "absent"
    finally:
        for project in projects_of(any_compose, folder):
            engines.remove_project(any_compose, project)


def projects_of(engine: ContainerEngine, folder: Path) -> set[str]:
    """Return the projects of chatdb's volumes that are called after the folder."""
    label = "com.docker.compose.project"
    words = ("--filter", f"name=chatdb-{folder.name}-", "--format", f'{{{{.Label "{label}"}}}}')
    return set(engine.docker("volume", "ls", *words).split())
