"""Files of folders and archives are taken by what is in them; what is left out is named."""

import gzip
import io
import json
import os
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chatdb.errors import InvalidInputError
from chatdb.formats.base import IgnoredFile
from chatdb.formats.files import members
from chatdb.formats.files import zip_archives as archives
from tests.formats.chatgpt_samples import conversation, message, node
from tests.formats.reading import read_path
from tests.formats.rights import error_without_rights, unprivileged_folder
from tests.formats.test_claude import conversation as claude_conversation
from tests.formats.test_claude import message as claude_message

PNG = b"\x89PNG\r\n\x1a\n1234"


def export(name: str) -> bytes:
    return json.dumps(
        [conversation(node("a", None, message()), id=name, conversation_id=name)]
    ).encode()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def written(path: Path, members: dict[str, bytes]) -> Path:
    """Write a folder, or a zip where the name says so."""
    if path.suffix == ".zip":
        path.write_bytes(zipped(members))
        return path
    for name, content in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def left_out(ignored: tuple[IgnoredFile, ...], root: Path) -> dict[str, tuple[str, bool]]:
    """Return reasons and alarms by the name within the folder or archive."""
    return {
        each.place.removeprefix(str(root))[1:]: (each.reason, each.holds_words) for each in ignored
    }


@pytest.mark.parametrize("root", ["folder", "export.zip"])
@pytest.mark.parametrize(
    "name",
    [
        "conversations-000 (1).json",
        "conversations (1).json",
        "more/chat-2026-08-01.json",
        "no-suffix",
        "picture.png",
        ".hidden.json",
        "packed.json.gz",
    ],
)
def test_an_export_is_read_whatever_its_name(name: str, root: str, tmp_path: Path) -> None:
    data = gzip.compress(export("b")) if name.endswith(".gz") else export("b")
    path = written(tmp_path / root, {"conversations.json": export("a"), name: data})

    reading = read_path(path)

    assert sorted(str(each.source_id) for each in reading.conversations) == ["a", "b"]
    assert (reading.skipped, reading.ignored) == ([], ())


@pytest.mark.parametrize("root", ["folder", "export.zip"])
def test_every_other_file_is_named_with_what_it_is(root: str, tmp_path: Path) -> None:
    database = tmp_path / "chats.db"
    with sqlite3.connect(database) as made:
        made.execute("CREATE TABLE chat (id)")
    made.close()
    path = written(
        tmp_path / root,
        {
            "conversations-000.json": export("a"),
            "broken.json": b'[{"mapping": {"a',
            "zeros.json": b"\x00" * 600,
            "chat.html": b"<html><head><title>ChatGPT Data Export</title>",
            "chats.db": database.read_bytes(),
            "empty.txt": b"",
            "file-1.dat": PNG,
            "notes.md": b"# notes",
            "user_settings.json": b"{}",
            "unknown.json": b'{"threads": [{"text": "hello there"}]}',
            "versions.json": b'{"name": "x", "numbers": [1, 2]}',
            "__MACOSX/._conversations-000.json": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X",
        },
    )

    reading = read_path(path)

    assert len(reading.conversations) == 1
    found = left_out(reading.ignored, path)
    assert {name for name, (_, alarm) in found.items() if alarm} == {
        "broken.json",
        "zeros.json",
        "chats.db",
        "unknown.json",
    }
    assert found["file-1.dat"][0] == "a picture (PNG)"
    assert "a SQLite database" in found["chats.db"][0]
    assert "its pages for reading" in found["chat.html"][0]
    assert found["__MACOSX/._conversations-000.json"][0] == "a resource fork of macOS"
    assert "the file ends inside the value" in found["broken.json"][0]
    assert found["empty.txt"] == ("empty", False)
    assert len(found) == 11


def test_parts_of_an_export_that_are_not_read_yet_are_named(tmp_path: Path) -> None:
    path = written(
        tmp_path / "export.zip",
        {
            "conversations.json": json.dumps([claude_conversation(claude_message())]).encode(),
            "group_chats.json": b'{"chats": {"g": {"messages": [{"text": "hello"}]}}}',
            "textdocs/1.json": b'{"id": "1", "title": "Note", "content": "Dear", "new": 1}',
            "users.json": b'[{"uuid": "a", "full_name": "Ann", "email_address": "a@b.example"}]',
        },
    )

    found = left_out(read_path(path).ignored, path)

    assert [name for name, (_, alarm) in found.items() if not alarm] == ["users.json"]
    assert all("does not read it yet" in reason for reason, alarm in found.values() if alarm)
    assert len(found) == 3


def test_files_of_several_formats_are_each_read_by_their_own(tmp_path: Path) -> None:
    claude = json.dumps([claude_conversation(claude_message())]).encode()
    path = written(tmp_path / "all", {"a.json": claude, "b.json": export("b"), "c.json": claude})

    reading = read_path(path)

    assert reading.format == "claude, chatgpt"
    assert sorted(str(each.source) for each in reading.conversations) == [
        "chatgpt",
        "claude",
        "claude",
    ]
    assert reading.skipped == []


def test_a_format_that_is_asked_for_leaves_the_others_out_and_names_them(tmp_path: Path) -> None:
    claude = json.dumps([claude_conversation(claude_message())]).encode()
    path = written(tmp_path / "all", {"a.json": claude, "b.json": export("b")})

    reading = read_path(path, format_name="chatgpt")

    assert reading.only.source == "chatgpt"
    assert left_out(reading.ignored, path) == {
        "a.json": ("of the format claude: import it without --from", True)
    }


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("root", ["folder", "outer.zip"])
def test_archives_within_are_opened(method: int, root: str, tmp_path: Path) -> None:
    deeper = zipped({"conversations.json": export("c")}, method)
    members = {
        "part1.zip": zipped({"conversations-000.json": export("a"), "x.png": PNG}, method),
        "part 2/part2.dat": zipped({"conversations-001.json": export("b"), "in.zip": deeper}),
        "none.zip": zipped({}),
        "report.docx": zipped({"[Content_Types].xml": b"<xml/>", "word/document.xml": b"<xml/>"}),
        "pictures.zip": zipped({"1.png": PNG, "2.png": PNG}),
    }
    path = written(tmp_path / root, members)

    reading = read_path(path)

    assert sorted(str(each.source_id) for each in reading.conversations) == ["a", "b", "c"]
    found = left_out(reading.ignored, path)
    assert found.pop("part1.zip:x.png") == ("a picture (PNG)", False)
    assert found == {
        "none.zip": ("an empty archive", False),
        "report.docx": ("a document or program", False),
        "pictures.zip": ("an archive without JSON", False),
    }


def test_an_archive_that_lies_too_deep_or_is_unsafe_is_named_and_the_rest_read(
    tmp_path: Path,
) -> None:
    data = export("deep")
    for _ in range(archives.MAX_LEVELS + 1):
        data = zipped({"inner.zip": data} if data[:2] == b"PK" else {"conversations.json": data})
    bad = zipped({"conversations.json": export("b"), "../out.json": b"{}"})
    path = written(
        tmp_path / "outer.zip",
        {
            "conversations.json": export("a"),
            "deep.zip": data,
            "bad.zip": bad,
            "cut.zip": bad[: len(bad) // 2],
        },
    )

    reading = read_path(path)

    assert reading.only.source_id == "a"
    found = left_out(reading.ignored, path)
    assert all(alarm for _, alarm in found.values())
    assert "more than 2 levels down" in found["deep.zip:inner.zip:inner.zip"][0]
    assert "unsafe path" in found["bad.zip"][0]
    assert "damaged zip" in found["cut.zip"][0]


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip", {"conversations.json": export("a"), "b.json": export("b")})
    data = bytearray(path.read_bytes())
    for place in (data.rindex(b"PK\x03\x04") + 6, data.rindex(b"PK\x01\x02") + 8):
        data[place] |= 1
    path.write_bytes(data)

    reading = read_path(path)

    assert reading.only.source_id == "a"
    assert "encrypted" in left_out(reading.ignored, path)["b.json"][0]


def test_what_is_not_looked_into_is_named(tmp_path: Path) -> None:
    deep = "/".join("x" * (members.MAX_FOLDER_DEPTH + 1))
    root = written(
        tmp_path / "folder", {"conversations.json": export("a"), f"{deep}/b.json": export("b")}
    )
    written(tmp_path / "elsewhere", {"c.json": export("c")})
    (root / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(root / "pipe")

    reading = read_path(root)

    assert reading.only.source_id == "a"
    found = left_out(reading.ignored, root)
    assert found.keys() == {deep, "link", "pipe"}
    assert all(alarm for _, alarm in found.values())


_READ = """
from chatdb.formats.sorting import sort_files
from chatdb.formats.files.sources import open_source
with open_source(Path(sys.argv[1])) as source:
    for each in sort_files(source).ignored:
        if each.holds_words:
            raise StorageError(f"{each.place}: {each.reason}")
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_may_not_be_read_in_a_folder_is_named(kind: str) -> None:
    with unprivileged_folder() as folder:
        written(folder, {"a.json": export("a"), "secret/b.json": export("b")})
        secret = folder / ("secret/b.json" if kind == "file" else "secret")
        secret.chmod(0)

        said = error_without_rights("from chatdb.errors import StorageError\n" + _READ, folder)
        secret.chmod(0o700)

        assert f"{secret}: " in said
        assert "cannot be read: Permission denied" in said


def test_a_folder_without_any_json_says_what_could_be_imported_by_itself(tmp_path: Path) -> None:
    root = written(tmp_path / "folder", {"a.db": b"SQLite format 3\x00" + b"\x00" * 90})

    with pytest.raises(InvalidInputError, match=r"a\.db: a SQLite database") as caught:
        read_path(root)

    assert "none of its 1 files is JSON" in caught.value.text


def test_a_broken_file_in_an_export_does_not_stop_the_others(tmp_path: Path) -> None:
    cut: dict[str, Any] = {"conversations-001.json": export("b")[:-40] + b"]"}
    path = written(tmp_path / "a.zip", {"conversations-000.json": export("a")} | cut)

    reading = read_path(path)

    assert reading.only.source_id == "a"
    assert len(reading.skipped) + sum(each.holds_words for each in reading.ignored) == 1
