"""Opening files, folders, archives and standard input; refusing what is made to do harm."""

import gzip
import io
import json
import os
import stat
import threading
import zipfile
from pathlib import Path

import pytest
import zstandard

from chatdb.errors import InvalidInputError, NotFoundError
from chatdb.formats.files.sources import open_source
from tests.formats.chatgpt_samples import conversation, message, node
from tests.formats.reading import read_bytes, read_path
from tests.formats.rights import error_without_rights, unprivileged_folder

EXPORT = json.dumps([conversation(node("a", None, message(text="grüße 東京")))], ensure_ascii=False)
DATA = EXPORT.encode()
NO_CHAT = "JSON but not a chat export chatdb recognises: "
OTHER = json.dumps([conversation(node("a", None, message()), id="2", conversation_id="2")]).encode()


def zip_of_names(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        DATA,
        b"\xef\xbb\xbf" + DATA,
        EXPORT.encode("utf-16"),
        EXPORT.encode("utf-16-le"),
        EXPORT.encode("utf-16-be"),
        EXPORT.encode("utf-32"),
        gzip.compress(DATA),
        gzip.compress(DATA[:50]) + gzip.compress(DATA[50:]),
        zstandard.compress(DATA),
        zstandard.compress(DATA[:50]) + zstandard.compress(DATA[50:]),
    ],
    ids=["plain", "bom", "utf16", "utf16le", "utf16be", "utf32", "gz", "gz2", "zst", "zst2"],
)
def test_encodings_and_compressions_are_recognised(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_bytes(data)

    for reading in (read_path(path), read_bytes(data)):
        assert reading.only.messages[0].content == "grüße 東京"


@pytest.mark.parametrize(
    "names",
    [
        ["conversations.json"],
        ["export/deep/conversations.json"],
        ["conversations-000.json", "conversations-001.json"],
        ["one.json"],
    ],
)
def test_archives_and_folders_are_read_alike(names: list[str], tmp_path: Path) -> None:
    rest = {"user.txt": b"{}", "chat.html": b"<html>", "pictures/a.png": b"\x89PNG"}
    members = dict(zip(names, [DATA, OTHER], strict=False)) | rest
    folder = tmp_path / "folder"
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    archive = zip_of_names(tmp_path / "export.zip", members)

    assert len(read_path(archive).conversations) == len(names)
    assert read_path(archive).conversations == read_path(folder).conversations
    with open_source(archive) as source:
        assert sorted(each.place for each in source.ignored) == sorted(
            f"{archive}:{name}" for name in rest if name != "user.txt"
        )


def test_other_json_in_an_export_is_not_read_but_named(tmp_path: Path) -> None:
    path = zip_of_names(
        tmp_path / "a.zip", {"conversations.json": DATA, "users.json": b"[1]", "x.json": b"{}"}
    )

    reading = read_path(path)

    assert len(reading.conversations) == 1
    assert [(each.place, each.reason, each.holds_words) for each in reading.ignored] == [
        (f"{path}:users.json", NO_CHAT + "a list of int values", False),
        (f"{path}:x.json", NO_CHAT + "an object", False),
    ]


def test_split_files_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = [f"conversations-{number}.json" for number in (2, 10, 9, 1)]
    path = zip_of_names(tmp_path / "a.zip", dict.fromkeys(names, b"[]"))

    with open_source(path) as source:
        numbers = [file.name.split("-")[-1] for file in source.files]

    assert numbers == ["1.json", "2.json", "9.json", "10.json"]


@pytest.mark.parametrize(
    "name",
    ["../conversations.json", "/etc/conversations.json", "C:/conversations.json", "a\\..\\..\\b"],
)
def test_an_archive_with_a_path_that_leaves_it_is_refused(name: str, tmp_path: Path) -> None:
    path = zip_of_names(tmp_path / "a.zip", {"conversations.json": DATA, name: b"x"})

    with pytest.raises(InvalidInputError, match="unsafe path"), open_source(path):
        pass


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = zipfile.ZipInfo("conversations.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")

    with pytest.raises(InvalidInputError, match="link"), open_source(path):
        pass


@pytest.mark.parametrize("packing", ["zip", "gz", "zst"])
def test_a_bomb_is_refused_before_it_is_unpacked(packing: str, tmp_path: Path) -> None:
    data = b"[" + b" " * (100 << 20)
    path = tmp_path / "bomb"
    if packing == "zip":
        zip_of_names(path, {"conversations.json": data})
    else:
        path.write_bytes(gzip.compress(data) if packing == "gz" else zstandard.compress(data))

    with pytest.raises(InvalidInputError, match="bomb") as caught:
        read_path(path, format_name=None if packing == "zip" else "chatgpt")

    assert "unpack it yourself" in str(caught.value.hint)


@pytest.mark.parametrize("packing", ["zip", "gz", "zst"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_damaged_compression_is_an_error_never_silence(
    packing: str, kept: float, tmp_path: Path
) -> None:
    path = tmp_path / "export"
    records = [
        conversation(node("a", None, message(text=str(i) * 9)), id=str(i)) for i in range(50)
    ]
    data = json.dumps(records).encode()
    if packing == "zip":
        packed = zip_of_names(path, {"conversations.json": data}).read_bytes()
    else:
        packed = gzip.compress(data) if packing == "gz" else zstandard.compress(data)
    path.write_bytes(packed[: int(len(packed) * kept)])

    if packing == "zip":
        with pytest.raises(InvalidInputError, match="damaged"):
            read_path(path, format_name="chatgpt")
    else:
        assert _complaint(path)


def _complaint(path: Path) -> str:
    try:
        return read_path(path, format_name="chatgpt").skipped[0].reason
    except InvalidInputError as error:
        return error.text


def test_cut_zstandard_lines_are_reported(tmp_path: Path) -> None:
    line = b'{"id":"6f1d2c3b-0a49-4e58-9c67-123456789abc",'
    line += b'"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-01T00:00:00Z"}\n'
    compressor = zstandard.ZstdCompressor().compressobj()
    packed = compressor.compress(line * 1000) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    path = tmp_path / "cut.jsonl.zst"
    path.write_bytes(packed)

    reading = read_path(path, format_name="jsonl")

    assert len(reading.conversations) == 1000
    assert "ends early" in reading.skipped[0].reason


def test_an_archive_or_folder_without_json_says_so(tmp_path: Path) -> None:
    path = zip_of_names(tmp_path / "a.zip", {"readme": b"hello"})

    for place in (path, tmp_path):
        with pytest.raises(InvalidInputError, match="no conversations"), open_source(place):
            pass


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"), open_source(tmp_path / "none"):
        pass


_READ = """
from chatdb.formats.files.sources import open_source
with open_source(Path(sys.argv[1])):
    pass
"""


def test_a_file_without_right_to_read_is_a_storage_error() -> None:
    with unprivileged_folder() as folder:
        path = folder / "secret"
        path.write_bytes(DATA)
        path.chmod(0)

        assert "secret" in error_without_rights(_READ, path)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    thread = threading.Thread(target=path.write_bytes, args=(DATA,))
    thread.start()

    reading = read_path(path)
    thread.join()

    assert len(reading.conversations) == 1


@pytest.mark.parametrize("packing", ["plain", "gz", "zst", "zip", "folder"])
def test_the_bytes_told_add_up_to_the_size(packing: str, tmp_path: Path) -> None:
    path = tmp_path / "export"
    data = b"[" + DATA[1:-1] + b"]"
    if packing == "zip":
        zip_of_names(path, {"conversations.json": data})
    elif packing == "folder":
        path.mkdir()
        (path / "conversations.json").write_bytes(data)
    else:
        pack = {"plain": bytes, "gz": gzip.compress, "zst": zstandard.compress}[packing]
        path.write_bytes(pack(data))  # type: ignore[operator]
    told: list[int] = []

    with open_source(path, told.append) as source, source.files[0].open() as stream:
        read = stream.read()
        size = source.size

    assert read == data
    assert sum(told) == size


def test_looking_at_the_head_tells_no_bytes() -> None:
    told: list[int] = []

    with (
        open_source("-", told.append, stdin=io.BytesIO(DATA)) as source,
        source.files[0].open(counting=False) as stream,
    ):
        stream.read()

    assert told == []
