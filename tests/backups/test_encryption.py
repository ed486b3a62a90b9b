"""Encryption by age: what the `age` program reads and writes, and what damage is told."""

import io
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import pyrage
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from chatdb.backups.archives import compare, sum_up, unpacked, write_archive
from chatdb.backups.encryption import (
    Identities,
    Recipients,
    decrypted,
    encrypting,
    read_identities,
    read_recipients,
)
from chatdb.backups.encryption import Keys as StoreKeys
from chatdb.backups.names import archive_name
from chatdb.errors import ConfigurationError, InvalidInputError, NotFoundError, UsageError
from tests.programs import program

DATA = bytes(range(256)) * 2000


class Keys:
    """A key pair in files, as age-keygen writes them."""

    def __init__(self, folder: Path, name: str) -> None:
        identity = pyrage.x25519.Identity.generate()
        self.public = str(identity.to_public())
        self.file = folder / f"{name}.txt"
        self.file.write_text(f"# public key: {self.public}\n{identity}\n")
        self.recipients = Recipients((self.public,))

    @property
    def identities(self) -> Identities:
        """The private key, as it is read from the file."""
        return read_identities(self.file)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"), "ours")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"), "theirs")


@pytest.fixture(scope="module")
def age() -> str:
    """The `age` program."""
    return program("age")


def encrypted(data: bytes, recipients: Recipients) -> bytes:
    """Return the data as the stream encrypts them, written in uneven pieces."""
    target = io.BytesIO()
    with encrypting(target, recipients) as stream:
        for start in range(0, len(data), 70_001):
            stream.write(data[start : start + 70_001])
    return target.getvalue()


def opened(data: bytes, identities: Identities) -> bytes:
    """Return what the stream makes of encrypted data."""
    with decrypted(io.BytesIO(data), identities, "chat.dump.age") as stream:
        return stream.read()


@given(data=st.binary(max_size=200_000))
def test_what_was_encrypted_comes_back(keys: Keys, data: bytes) -> None:
    assert opened(encrypted(data, keys.recipients), keys.identities) == data


def test_the_age_program_reads_what_we_write_and_we_what_it_writes(
    age: str, keys: Keys, others: Keys
) -> None:
    both = Recipients((others.public, keys.public))

    theirs = subprocess.run(
        [age, "-d", "-i", keys.file], input=encrypted(DATA, both), capture_output=True, check=True
    )
    ours = subprocess.run([age, "-r", keys.public], input=DATA, capture_output=True, check=True)

    assert theirs.stdout == DATA
    assert opened(ours.stdout, keys.identities) == DATA
    assert opened(encrypted(DATA, both), others.identities) == DATA


def test_an_archive_is_packed_then_encrypted_and_summed_up_as_it_lies_there(
    age: str, keys: Keys, tmp_path: Path
) -> None:
    path = tmp_path / archive_name("chat", "custom", compressed=True, encrypted=True)
    both = StoreKeys(keys.recipients, keys.identities)
    with write_archive(path, keys=both) as writer:
        writer.write(DATA)

    assert path.name == "chat.dump.zst.age"
    with path.open("rb") as raw:
        compare(writer.file(path.name), sum_up(raw, path.name))
    with path.open("rb") as raw, unpacked(raw, path.name, both) as stream:
        assert stream.read() == DATA
    with path.open("rb") as raw, pytest.raises(UsageError, match="is encrypted") as caught:
        unpacked(raw, path.name)
    assert "--identity" in str(caught.value.hint)
    packed = subprocess.run([age, "-d", "-i", keys.file, path], capture_output=True, check=True)
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed.stdout) == DATA


def test_an_ssh_key_is_a_recipient_too(age: str, tmp_path: Path) -> None:
    key = tmp_path / "id_ed25519"
    subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    recipients = read_recipients([str(key) + ".pub"])
    assert recipients is not None

    data = encrypted(DATA, recipients)

    assert opened(data, read_identities(key)) == DATA
    read = subprocess.run([age, "-d", "-i", key], input=data, capture_output=True, check=True)
    assert read.stdout == DATA


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: 200 + 3 * 65_552],
        lambda data: data[:100],
        lambda data: data[:300_000] + bytes([data[300_000] ^ 1]) + data[300_001:],
        lambda data: data + b"x",
        lambda data: data[:250_000] + data[350_000:],
        lambda _: b"",
        lambda _: b"no age file at all" * 100,
    ],
    ids=[
        *("last byte", "whole pieces", "header", "bit", "appended", "cut out", "empty"),
        "a different format",
    ],
)
def test_a_damaged_file_is_never_an_early_end(keys: Keys, damage: Callable[[bytes], bytes]) -> None:
    data = damage(encrypted(DATA, keys.recipients))

    with pytest.raises(InvalidInputError, match=r"chat\.dump\.age is damaged"):
        opened(data, keys.identities)


def test_a_key_that_does_not_fit_is_told_with_its_file(keys: Keys, others: Keys) -> None:
    with pytest.raises(
        ConfigurationError, match=r"no key in .*theirs\.txt can decrypt chat\.dump\.age"
    ):
        opened(encrypted(DATA, keys.recipients), others.identities)


def test_a_reader_may_stop_early(keys: Keys) -> None:
    data = encrypted(DATA, keys.recipients)
    before = threading.active_count()

    with decrypted(io.BytesIO(data), keys.identities, "chat.dump.age") as stream:
        assert stream.read(10) == DATA[:10]

    assert threading.active_count() == before


def test_a_full_disk_is_told_to_the_one_who_writes(keys: Keys) -> None:
    def write_all() -> None:
        with (
            Path("/dev/full").open("wb", buffering=0) as disk,
            encrypting(cast(IO[bytes], disk), keys.recipients) as stream,
        ):
            for _ in range(50):
                stream.write(DATA)

    with pytest.raises(OSError, match="No space left"):
        write_all()


def test_a_source_that_fails_is_told_as_what_it_was(keys: Keys) -> None:
    class Lost(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:  # noqa: ARG002
            raise ConnectionResetError("the store hung up")

    with (
        pytest.raises(ConnectionResetError, match="hung up"),
        decrypted(cast(IO[bytes], Lost()), keys.identities, "x") as stream,
    ):
        stream.read()


def test_recipients_come_from_words_and_files_each_once(
    keys: Keys, others: Keys, tmp_path: Path
) -> None:
    file = tmp_path / "recipients"
    file.write_text(f"# the team\n\n{others.public}\n  {keys.public}\n")

    assert read_recipients([keys.public, str(file)]) == Recipients((keys.public, others.public))
    assert read_recipients([]) is None


def test_a_private_key_among_the_recipients_is_never_shown(keys: Keys, tmp_path: Path) -> None:
    secret = keys.file.read_text().splitlines()[1]
    inside = tmp_path / "mixed"
    inside.write_text(f"{keys.public}\n{secret}\n")

    for word in (secret, secret.lower(), str(keys.file), str(inside)):
        with pytest.raises(UsageError, match="private key") as caught:
            read_recipients([word])
        assert secret[15:].lower() not in f"{caught.value.text}{caught.value.hint}".lower()
    assert secret not in repr(keys.identities)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("age1tooshort\n", "not a usable public key"),
        ("ssh-rsa AAAA\n", "not a usable public key"),
        ("# nobody yet\n", "contains no recipient"),
        ("\0\xff\n", "not a usable public key"),
    ],
)
def test_a_file_of_no_recipients_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "recipients"
    file.write_text(text)

    with pytest.raises(UsageError, match=says):
        read_recipients([str(file)])
    with pytest.raises(NotFoundError, match="no file"):
        read_recipients([str(tmp_path / "nothing")])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# only a remark\n", "does not contain a usable private key"),
        ("AGE-SECRET-KEY-1SHORT\n", "does not contain a usable private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "does not contain a usable private key"),
        ("age-encryption.org/v1\n-> scrypt x 18\n", "itself encrypted"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\n", "itself encrypted"),
    ],
)
def test_a_file_of_no_identity_is_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "key.txt"
    file.write_text(text)

    with pytest.raises(UsageError, match=says):
        read_identities(file)


def test_memory_does_not_grow_with_the_size(keys: Keys, tmp_path: Path) -> None:
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from chatdb.backups.encryption import *\n"
        "piece = bytes(1 << 20)\n"
        "path, key = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "recipients = read_recipients([sys.argv[3]])\n"
        "with path.open('wb') as file, encrypting(file, recipients) as stream:\n"
        "    for _ in range(int(sys.argv[4])): stream.write(piece)\n"
        "with path.open('rb') as file, decrypted(file, read_identities(key), 'x') as stream:\n"
        "    while stream.read(1 << 20): pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )

    def peak(megabytes: int) -> int:
        words = [tmp_path / "file.age", keys.file, keys.public, str(megabytes)]
        done = subprocess.run(
            [sys.executable, "-c", script, *map(str, words)],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    assert peak(120) < peak(1) + 8_000
