"""Attachments of ChatGPT's messages have the id of their file, and the name its user gave it."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatdb.formats.chatgpt import file_names
from tests.formats.chatgpt_samples import message, one_message
from tests.formats.reading import read_path, read_value
from tests.formats.test_left_out_files import PNG, written, zipped

ASSETS = {"file_00ab.dat": "till.png", "file-2.dat": "second.png", "file-3.dat": None, "x": "y"}
LIBRARY = [
    {"id": {"id": "libfile_1"}, "file_id": "file_00ab", "file_name": "other name.png"},
    {"file_id": "file-4", "file_name": "fourth.pdf", "library_artifact_type": "report"},
    {"file_id": "file-5", "file_name": None},
]


def pointer(address: str, **fields: Any) -> dict[str, Any]:
    return {"content_type": "image_asset_pointer", "asset_pointer": address} | fields


def export(*parts: Any, files: list[Any] | None = None) -> list[Any]:
    content = {"content_type": "multimodal_text", "parts": list(parts)}
    metadata = {"attachments": files} if files else {}
    return [one_message(message(text=content, metadata=metadata))]


EXPORT = export(
    pointer("sediment://file_00ab"),
    pointer("file-service://file-2"),
    pointer("file-service://file-4"),
    pointer("file-service://file-9"),
    files=[{"id": "file-2", "name": "its own name.png"}, {"id": "file-4"}, {"id": "file-5"}],
)
IDS = ["file_00ab", "file-2", "file-4", "file-9", "file-2", "file-4", "file-5"]


def members(*names: str) -> dict[str, bytes]:
    known: dict[str, Any] = {
        "conversation_asset_file_names.json": ASSETS,
        "conversations-000.json": EXPORT,
        "library_files.json": LIBRARY,
    }
    return {name: json.dumps(known[name]).encode() for name in names} | {"file-2.dat": PNG}


def named(path: Path) -> list[str | None]:
    (read,) = read_path(path).only.messages
    assert [each.get("id") for each in read.attachments] == IDS
    return [each.get("name") for each in read.attachments]


OWN = "its own name.png"


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ((), [None, None, None, None, OWN, None, None]),
        (
            ("conversation_asset_file_names.json",),
            ["till.png", "second.png", None, None, OWN, None, None],
        ),
        (
            ("library_files.json",),
            ["other name.png", None, "fourth.pdf", None, OWN, "fourth.pdf", None],
        ),
        (
            ("conversation_asset_file_names.json", "library_files.json"),
            ["till.png", "second.png", "fourth.pdf", None, OWN, "fourth.pdf", None],
        ),
    ],
    ids=["none", "assets", "library", "both"],
)
@pytest.mark.parametrize("root", ["folder", "export.zip", "outer.zip"])
def test_names_come_from_whichever_files_are_there(
    files: tuple[str, ...], names: list[str | None], root: str, tmp_path: Path
) -> None:
    inside = members("conversations-000.json", *files)
    if root == "outer.zip":
        inside = {"part/Conversations__1.zip": zipped(inside)}

    assert named(written(tmp_path / root, inside)) == names


def test_a_list_of_names_that_breaks_off_gives_those_before(tmp_path: Path) -> None:
    inside = members("conversations-000.json", "library_files.json")
    inside["library_files.json"] = inside["library_files.json"][:-30]

    assert named(written(tmp_path / "export.zip", inside))[0] == "other name.png"


def test_a_list_without_end_is_not_kept_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_names, "MOST", 1)
    inside = members("conversations-000.json", "library_files.json")

    assert named(written(tmp_path / "export.zip", inside))[:3] == ["other name.png", None, None]


@pytest.mark.parametrize(
    ("part", "identifier"),
    [
        (pointer("file-service://file-AbC"), "file-AbC"),
        (pointer("sediment://file_00ab"), "file_00ab"),
        (pointer("sediment://0a1b2c#file_00ab#p_0.png"), "file_00ab"),
        (pointer("sediment://elsewhere?x=1"), "elsewhere"),
        (pointer("sediment://file_00ab", id="own"), "own"),
        (pointer("no address"), None),
        (pointer(""), None),
        ({"content_type": "audio_asset_pointer", "asset_pointer": "sediment://file_a"}, "file_a"),
        (
            {
                "content_type": "real_time_user_audio_video_asset_pointer",
                "frames_asset_pointers": [],
                "audio_asset_pointer": {"asset_pointer": "sediment://file_b"},
            },
            "file_b",
        ),
        ({"content_type": "mystery", "asset_pointer": 7}, None),
        ({"file_id": "file-7"}, "file-7"),
    ],
)
def test_a_pointer_tells_the_id_of_its_file(part: Any, identifier: str | None) -> None:
    (entry,) = read_value(export(part)).only.messages[0].attachments

    assert entry.get("id") == identifier
    assert {**entry, **part} == entry


def test_a_picture_of_a_computer_is_an_attachment() -> None:
    content = {
        "content_type": "computer_output",
        "screenshot": pointer("sediment://file_00ab"),
        "state": {"url": "https://example.org"},
    }
    reading = read_value([one_message(message("tool", content))])

    (read,) = reading.only.messages
    assert read.attachments == [pointer("sediment://file_00ab", id="file_00ab")]
    assert read.metadata["content"] == {
        "content_type": "computer_output",
        "state": {"url": "https://example.org"},
    }
    assert reading.tally.lossy == {}
