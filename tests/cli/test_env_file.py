"""Writing DATABASE_URL into a `.env`: all else stays byte for byte, and every reader agrees."""

import os
import subprocess
from pathlib import Path

import pytest
from dotenv import dotenv_values

from chatdb import config
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import StorageError
from chatdb.operations.dev_db.env_file import put_database_url, remove_database_url

PASSWORD = "p%@/:w#\"'$HOME ${x} \\ü `id`"
URL = DatabaseUrl(
    dialect_name="postgresql",
    user="chatdb",
    password=PASSWORD,
    host="127.0.0.1",
    port="5433",
    database="chatdb_dev",
)
LINE = f"DATABASE_URL={URL.exposed()}".encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"", b"%s\n", id="empty"),
        pytest.param(b"A=1\n", b"A=1\n%s\n", id="added at the end"),
        pytest.param(b"A=1", b"A=1\n%s\n", id="no line end"),
        pytest.param(b"A=1\r\nB=2\r\n", b"A=1\r\nB=2\r\n%s\r\n", id="line ends of Windows"),
        pytest.param(
            b"A=1\rDATABASE_URL=x\rB=2\r",
            b"A=1\r# DATABASE_URL=x\r%s\rB=2\r",
            id="line ends of old",
        ),
        pytest.param(b"# c\n\nDATABASE_URL=\nB=2\n", b"# c\n\n%s\nB=2\n", id="in its place"),
        pytest.param(
            b"export DATABASE_URL=''  # mine\nB=2\n", b"export %s\nB=2\n", id="export stays"
        ),
        pytest.param(
            b"DATABASE_URL=sqlite:///a.db\nB=2\n",
            b"# DATABASE_URL=sqlite:///a.db\n%s\nB=2\n",
            id="another database stays as a comment",
        ),
        pytest.param(
            b"DATABASE_URL=postgresql://chatdb:old@127.0.0.1:5432/chatdb_dev\n",
            b"%s\n",
            id="the same server with another port and password",
        ),
        pytest.param(
            b"X='two\nDATABASE_URL=not this one\nlines'\nY=1\n",
            b"X='two\nDATABASE_URL=not this one\nlines'\nY=1\n%s\n",
            id="inside another value",
        ),
        pytest.param(b"DATABASE_URL=\nDATABASE_URL=\n", b"%s\n", id="twice becomes once"),
        pytest.param(b"A=\xff\xfe\nB=2\n", b"A=\xff\xfe\nB=2\n%s\n", id="no UTF-8"),
        pytest.param(b"\xef\xbb\xbfA=1\n", b"\xef\xbb\xbfA=1\n%s\n", id="byte order mark"),
        pytest.param(b"MY_DATABASE_URL=x\n", b"MY_DATABASE_URL=x\n%s\n", id="a longer name"),
        pytest.param(b"#DATABASE_URL=x\n", b"#DATABASE_URL=x\n%s\n", id="a comment"),
    ],
)
def test_other_lines_stay_byte_for_byte(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(before)

    assert put_database_url(path, URL)

    assert path.read_bytes() == after.replace(b"%s", LINE)
    assert not put_database_url(path, URL)
    assert path.read_bytes() == after.replace(b"%s", LINE)


def test_chatdb_dotenv_and_a_shell_read_the_same_password(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    put_database_url(path, URL)

    values = dotenv_values(path)
    sourced = subprocess.run(
        ["sh", "-c", '. "$0"; printf %s "$DATABASE_URL"', path],
        capture_output=True,
        text=True,
        check=True,
    )
    found = config.load(environment={}, directory=tmp_path).database_url

    for text in (values["DATABASE_URL"], sourced.stdout, found.value):
        assert text is not None
        assert parse_url(text).password == PASSWORD


def test_a_new_file_is_its_users_alone_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("A=1\n")
    old.chmod(0o640)

    put_database_url(new, URL)
    put_database_url(old, URL)

    assert new.stat().st_mode & 0o777 == 0o600
    assert old.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["new", "old"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    shared = tmp_path / "shared.env"
    shared.write_text("A=1\n")
    (tmp_path / ".env").symlink_to(shared)

    put_database_url(tmp_path / ".env", URL)

    assert (tmp_path / ".env").is_symlink()
    assert shared.read_bytes() == b"A=1\n" + LINE + b"\n"


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    os.mkfifo(tmp_path / "pipe")

    for name in (".env", "pipe"):
        with pytest.raises(StorageError, match="cannot be changed"):
            put_database_url(tmp_path / name, URL)


def test_only_the_url_of_this_server_is_taken_out_again(tmp_path: Path) -> None:
    path, url = tmp_path / ".env", parse_url("postgresql://chatdb:a%40b@127.0.0.1:5432/chatdb_dev")
    path.write_text("# mine\nKEY=1\n")

    assert not remove_database_url(path, url)
    put_database_url(path, url)
    assert remove_database_url(path, url, dry_run=True)
    assert "DATABASE_URL" in path.read_text()
    assert remove_database_url(path, url)
    assert path.read_text() == "# mine\nKEY=1\n"
    for other in ("chatdb@db.internal/chat", "chatdb:a%40b@127.0.0.1:5433/chatdb_dev"):
        path.write_text(f"DATABASE_URL=postgresql://{other}\n")
        assert not remove_database_url(path, url), other
        assert other in path.read_text()
