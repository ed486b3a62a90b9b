"""Backups in an S3 bucket, on a real server: whole files, claims, and what goes wrong."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from chatdb.backups import remote, remote_files
from chatdb.backups.archives import write_archive
from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import find_all
from chatdb.backups.manifest import encode
from chatdb.backups.remote import Claim, RemoteStore
from chatdb.backups.remote_errors import scrubbed
from chatdb.backups.remote_files import Upload
from chatdb.backups.store import Staging, redacted_url
from chatdb.backups.stores import open_store
from chatdb.errors import NotFoundError, ProgramMissingError, StorageError, UsageError
from tests import object_store
from tests.backups.making import manifest
from tests.object_store import BUCKET, KEY, SECRET, ObjectStore

NAME = "relay_20261125T193300Z"
DATA = os.urandom(1 << 20) * 20  # two parts and a half


@pytest.fixture
def folder(s3: ObjectStore) -> Path:
    """Where the server keeps the objects of this test."""
    return s3.folder / f"test-{uuid4().hex[:8]}" / "daily"


@pytest.fixture
def address(folder: Path) -> str:
    return f"s3://{BUCKET}/{folder.parent.name}/daily"


@pytest.fixture
def store(address: str) -> RemoteStore:
    return RemoteStore(address)


@pytest.fixture
def staging(store: RemoteStore) -> Iterator[Staging]:
    made = claimed(store)
    yield made
    store.release(made)


def claimed(store: RemoteStore, name: str = NAME) -> Staging:
    staging = store.staging(name)
    assert staging is not None
    return staging


def names(store: RemoteStore) -> list[str]:
    return [file.name for file in store.files()]


def objects(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_put_is_there_and_nothing_of_it_here(
    folder: Path, store: RemoteStore, staging: Staging
) -> None:
    sent: list[int] = []
    with write_archive(staging.folder / "a.dump") as writer:
        writer.write(DATA)

    store.put(staging.folder / "a.dump", f"{NAME}.dump", sent.append)
    store.write(f"{NAME}.manifest.json", b"{}")

    assert (folder / f"{NAME}.dump").read_bytes() == DATA
    assert sum(sent) == len(DATA)
    assert list(staging.folder.iterdir()) == []
    found = {file.name: file for file in store.files()}
    assert list(found) == [f"{NAME}.dump", f"{NAME}.manifest.json", f"{NAME}.partial"]
    assert found[f"{NAME}.dump"].bytes == len(DATA)
    assert abs(found[f"{NAME}.dump"].modified_at - datetime.now(UTC)) < timedelta(minutes=5)
    with store.open(f"{NAME}.dump") as stream:
        assert stream.read() == DATA
        assert stream.seek(len(DATA) - 3) == len(DATA) - 3
        assert stream.read() == DATA[-3:]


def test_a_folder_that_is_not_there_holds_nothing_and_a_bucket_must_be(
    store: RemoteStore,
) -> None:
    assert (store.files(), store.leftovers()) == ([], [])

    with pytest.raises(StorageError, match=r"s3://no-bucket/x.*bucket does not exist"):
        RemoteStore("s3://no-bucket/x").staging(NAME)


def test_a_name_is_claimed_once_and_again_when_it_is_free(store: RemoteStore) -> None:
    staging = claimed(store)

    assert store.staging(NAME) is None
    assert store.leftovers() == []
    store.release(staging)
    assert not staging.folder.exists()

    store.release(claimed(store))
    store.write(f"{NAME}.dump", b"")
    assert store.staging(NAME) is None


def test_files_of_a_directory_archive_are_listed_with_their_folder(store: RemoteStore) -> None:
    for name in (f"{NAME}.dir/toc.dat", f"{NAME}.dir/3001.dat", "notes/other.txt"):
        store.write(name, b"x")

    assert names(store) == [f"{NAME}.dir/3001.dat", f"{NAME}.dir/toc.dat"]
    for name in names(store):
        store.delete(name)
        store.delete(name)
    assert names(store) == []


def test_manifests_are_read_at_once_and_as_they_are_now(store: RemoteStore) -> None:
    written = [manifest(f"relay_202611{day}T193300Z") for day in (23, 24, 25)]
    for each in written:
        store.write(f"{each.name}.manifest.json", encode(each))
        store.write(f"{each.name}.dump.zst", b"x" * 100)

    assert [backup.manifest for backup in find_all(store)] == written[::-1]

    store.write(f"{written[0].name}.manifest.json", b"{}")
    assert [backup.state for backup in find_all(store)] == ["complete", "complete", "damaged"]
    with store.open(f"{written[1].name}.manifest.json") as stream:
        assert stream.read() == encode(written[1])


KILLED = """
import os, sys, threading, time
from pathlib import Path
from chatdb.backups.remote import RemoteStore
store = RemoteStore(sys.argv[1])
staging = store.staging(sys.argv[2])
file = staging.folder / "archive"
file.write_bytes(bytes(int(sys.argv[3])))
print("begins", flush=True)
store.put(file, sys.argv[2] + ".dump")
print("sent", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("moment", ["before", "sending", "sent"])
def test_what_a_killed_process_left_is_no_backup_and_is_swept(
    folder: Path, address: str, store: RemoteStore, moment: str
) -> None:
    size = {"before": 1, "sending": 150 << 20, "sent": 9 << 20}[moment]
    words = [address, NAME, str(size)]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *words], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        assert store.leftovers() == []
        if moment == "sent":
            assert process.stdout.readline() == b"sent\n"
        elif moment == "sending":
            time.sleep(0.15)
        process.kill()

    left = names(store)
    assert f"{NAME}.partial" in left
    assert (f"{NAME}.dump" in left) == (moment != "sending")
    assert store.leftovers() == [NAME]
    store.sweep(NAME)

    assert objects(folder) == []
    assert store.leftovers() == []


def test_a_backup_that_was_finished_is_kept_by_the_sweeper(store: RemoteStore) -> None:
    gone = Claim(machine="elsewhere", folder="/nowhere", since=datetime(2020, 1, 1, tzinfo=UTC))
    for suffix, data in (
        (".dump.zst", b"x" * 100),
        (".manifest.json", encode(manifest(NAME))),
        (".partial", msgspec.json.encode(gone)),
    ):
        store.write(NAME + suffix, data)

    assert [backup.state for backup in find_all(store)] == ["complete"]
    assert store.leftovers() == [NAME]
    store.sweep(NAME)

    assert names(store) == [f"{NAME}.dump.zst", f"{NAME}.manifest.json"]


def test_a_claim_of_another_machine_is_left_alone_for_two_days(store: RemoteStore) -> None:
    now = datetime.now(UTC)
    young = Claim(machine="elsewhere", folder="/nowhere", since=now - timedelta(hours=47))
    store.write(NAME + ".partial", msgspec.json.encode(young))
    store.write("other_20261125T193300Z.partial", b"not a claim")

    assert store.leftovers() == []


def test_wrong_keys_are_told_before_anything_is_dumped(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    with pytest.raises(StorageError, match="denied access") as caught:
        RemoteStore(address).staging(NAME)

    assert "AWS_PROFILE" in str(caught.value.hint)
    for secret in (KEY, SECRET, "wrong"):
        assert secret not in f"{caught.value.text} {caught.value.hint}"


def test_no_keys_at_all_are_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)

    with pytest.raises(StorageError, match="redentials"):
        RemoteStore(address).files()


class Proxy:
    """A way to the server that breaks: it answers, or hangs up, as it is told."""

    def __init__(self) -> None:
        self.requests = 0

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(inner) -> None:  # noqa: N805 - self is the proxy
                self.requests += 1
                inner.close_connection = True
                inner.connection.close()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_a_store_that_went_away_is_tried_again_and_then_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_FIRST_WAIT", 0.0)
    monkeypatch.setattr(remote, "_TRIES", 2)
    monkeypatch.setitem(remote_files.CLIENT["config_kwargs"], "retries", {"max_attempts": 1})
    proxy = Proxy()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
    store = RemoteStore(address)
    try:
        with pytest.raises(StorageError, match="does not answer"):
            store.files()
        assert proxy.requests > 1
    finally:
        proxy.close()


def test_a_store_that_went_away_is_not_told_of_twice(
    address: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = object_store.free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setitem(remote_files.CLIENT["config_kwargs"], "retries", {"max_attempts": 1})
    with object_store.running(folder.parents[2], port):
        store = RemoteStore(address)
        staging = claimed(store)

    store.release(staging)

    assert not staging.folder.exists()


def test_a_server_that_comes_back_gets_the_file(
    tmp_path: Path, address: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = object_store.free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    (tmp_path / "file").write_bytes(DATA)
    store = RemoteStore(address)
    sending = threading.Thread(target=lambda: store.put(tmp_path / "file", "a.dump"))
    sending.start()
    time.sleep(0.2)
    with object_store.running(folder.parents[2], port):
        sending.join(30)

    assert (folder / "a.dump").read_bytes() == DATA


def test_a_file_that_arrives_altered_is_noticed(
    address: str, store: RemoteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.dump"
    path.write_bytes(DATA)
    upload = Upload(store._system, path, f"{address.removeprefix('s3://')}/a.dump")
    upload.send(None)
    assert upload.has_arrived()

    store.write("a.dump", DATA[:-1])
    assert not upload.has_arrived()
    store.write("a.dump", DATA[:-1] + b"!")
    assert not upload.has_arrived()

    # A store that tells no checksum, or one of its own kind: the file is read back.
    monkeypatch.setattr(remote_files, "told_checksums", lambda _: set())
    assert not upload.has_arrived()
    store.write("a.dump", DATA)
    assert upload.has_arrived()


@pytest.mark.parametrize(
    ("place", "error", "says"),
    [
        ("nosuch://bucket/x", UsageError, "nosuch:// is not supported here"),
        ("gs://bucket/x", ProgramMissingError, "package that is not installed"),
        ("az://container/x", ProgramMissingError, "package that is not installed"),
    ],
)
def test_a_place_that_cannot_be_used_says_what_to_install(
    place: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        open_store(place)

    if error is ProgramMissingError:
        scheme = place[:2]
        assert caught.value.hint == f"to install it: pip install 'chatdb-cli[{scheme}]'"  # type: ignore[attr-defined]


def test_a_place_without_a_scheme_is_a_folder(tmp_path: Path) -> None:
    for place in ("backups", str(tmp_path), f"file://{tmp_path}"):
        assert isinstance(open_store(place), FolderStore)


def test_a_missing_object_is_not_found(store: RemoteStore) -> None:
    with pytest.raises(NotFoundError, match=r"s3://.*/nothing\.dump"):
        store.open("nothing.dump").read()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sftp://ada:p@ss/w@host/x", None),
        ("s3://bucket/x?token=abc", "s3://bucket/x"),
        ("sftp://ada:secret@host:22/x", "sftp://ada:***@host:22/x"),
        ("abfs://container@account.dfs.core.windows.net/x", ...),
    ],
)
def test_an_address_for_people_has_no_password(text: str, shown: object) -> None:
    assert "secret" not in redacted_url(text)
    if shown is not None:
        assert redacted_url(text) == (text if shown is ... else shown)


def test_what_a_library_says_is_shown_without_keys() -> None:
    said = "GET https://me:pw@acc.blob.example/c?sig=SECRET&se=1 failed AccountKey=SECRET;x\nmore"

    assert scrubbed(said) == "GET https://acc.blob.example/c failed AccountKey=***;x"
