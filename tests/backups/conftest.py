"""Fixtures of backups: an S3 server of the run's own."""

from collections.abc import Iterator

import pytest

from tests.backups import object_store
from tests.backups.object_store import ObjectStore


@pytest.fixture(scope="session")
def _s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(_s3_server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A running S3 server; this process knows its address and its keys."""
    for name, value in _s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return _s3_server
