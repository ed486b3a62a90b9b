"""The compose file for production, on a real engine: who waits for whom, and who reaches what.

The images of chatdb and of the application are not here; an override lets the server's own image
stand in for both, with psql for chatdb's migration. All else is the file as it is shipped.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chatdb.operations.dev_db.project_files import init_project
from tests.postgres_server import PASSWORD, wait_until
from tests.servers import container_engine as engines
from tests.servers.container_engine import IMAGE, ContainerEngine

pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.large]

OVERRIDE = f"""
services:
  migrate:
    image: {IMAGE}
    entrypoint: ["psql", "-v", "ON_ERROR_STOP=1", "-c", "CREATE TABLE migrated (n int)"]
    command: []
  app:
    entrypoint: ["sh", "-c"]
    command: ["psql -c 'INSERT INTO migrated VALUES (1)' && exec sleep 600"]
"""
VARIABLES = {
    "POSTGRES_IMAGE": IMAGE,
    "APP_IMAGE": IMAGE,
    "CHATDB_IMAGE": IMAGE,
    "POSTGRES_USER": "ada",
    "POSTGRES_PASSWORD": PASSWORD + "$HOME $$x",
    "POSTGRES_DB": "chat",
}


class Project:
    """The files of `chatdb init --production` in a folder, and Compose on them."""

    def __init__(self, engine: ContainerEngine, folder: Path) -> None:
        self.engine = engine
        self.name = f"chatdb-test-{uuid4().hex[:8]}"
        self.folder = folder
        init_project(folder, "", production=True, force=False, dry_run=False)
        (folder / "override.yml").write_text(OVERRIDE)
        self.has_plugin = engine.try_docker("compose", "version").returncode == 0

    def compose(self, *words: str) -> str:
        """Run Compose; an exit code that is not 0 fails the test."""
        program = ["docker", "compose"] if self.has_plugin else ["docker-compose"]
        files = ("-f", "docker-compose.production.yml", "-f", "override.yml")
        done = subprocess.run(
            [*program, "-p", self.name, *files, *words],
            cwd=self.folder,
            env={**self.engine.environment, **VARIABLES},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def state(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container."""
        seen: dict[str, Any] = json.loads(self.engine.docker("inspect", self.container(service)))[0]
        return seen

    def container(self, service: str) -> str:
        """Return the id of a service's container, "" where there is none."""
        return self.engine.docker(
            *("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.name}"),
            *("--filter", f"label=com.docker.compose.service={service}"),
        )

    def query(self, sql: str) -> str:
        """Ask the database from inside its container; "" while it does not answer."""
        words = ("psql", "-h", "127.0.0.1", "-U", "ada", "-d", "chat", "-qAtc", sql)
        secret = ("-e", f"PGPASSWORD={VARIABLES['POSTGRES_PASSWORD']}")
        return self.engine.try_docker(
            "exec", *secret, self.container("postgres"), *words
        ).stdout.strip()


@pytest.fixture
def project(each_compose: ContainerEngine, tmp_path: Path) -> Iterator[Project]:
    made = Project(each_compose, tmp_path / "project")
    yield made
    engines.remove_project(each_compose, made.name)


@pytest.mark.large
def test_the_application_starts_after_the_migration_and_the_data_outlive_the_containers(
    project: Project,
) -> None:
    project.compose("up", "-d")
    wait_until(lambda: project.query("SELECT count(*) FROM migrated") == "1", seconds=30)

    server = project.state("postgres")
    assert server["State"]["Health"]["Status"] == "healthy"
    assert server["HostConfig"]["PortBindings"] in (None, {})
    assert server["HostConfig"]["ReadonlyRootfs"] is True
    assert project.state("migrate")["State"]["Status"] == "exited"
    assert project.state("app")["State"]["Status"] == "running"
    assert project.state("backup")["State"]["Status"] == "running"

    project.compose("down", "-t", "2")
    project.compose("up", "-d", "postgres")
    wait_until(lambda: project.query("SELECT count(*) FROM migrated") == "1", seconds=30)
