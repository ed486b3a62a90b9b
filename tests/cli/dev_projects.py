"""`chatdb dev-db` in a project of a test's own, on the embedded engine."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chatdb.errors import ConfigurationError
from chatdb.operations.dev_db.memory import project_at
from tests.servers.projects import free_port, open_folder, removed_at_the_end

Run = Callable[..., Any]


@contextmanager
def project_folder(monkeypatch: pytest.MonkeyPatch, name: str = "project") -> Iterator[Path]:
    """Work in an empty project with a free port set; its server is gone afterwards."""
    before = Path.cwd()
    monkeypatch.setenv("CHATDB_DEV_PORT", str(free_port()))
    with open_folder(name) as folder:
        monkeypatch.chdir(folder)
        try:
            yield folder
        finally:
            with suppress(ConfigurationError):
                found = project_at(folder).load()
                if found is not None and found.engine == "embedded":
                    with removed_at_the_end(found.server(folder / ".chatdb")):
                        pass
            os.chdir(before)


def status(run: Run) -> Any:
    """Return what `chatdb dev-db status` says."""
    return json.loads(run("dev-db", "status", "--format", "json").stdout)
