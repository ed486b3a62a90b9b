"""The invented exports in today's shapes are read as the notes beside them say."""

import os
from collections import Counter
from pathlib import Path

import pytest

from chatdb.errors import InvalidInputError
from chatdb.records import Conversation
from tests.formats.reading import read_path

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("CHATDB_CASES", ROOT.parent / "shared" / "cases")) / "exports-2026"
NEWEST = CASES / "claude-2026-09"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases in {CASES}"),
]


def of_kind(records: list[Conversation], kind: str) -> dict[str | None, list[str]]:
    return {
        each.title: [message.attached_text or message.content for message in each.messages]
        for each in records
        if each.kind == kind
    }


@pytest.mark.parametrize("root", ["zips", "unpacked"])
def test_the_newest_export_is_read_whole(root: str) -> None:
    reading = read_path(NEWEST / root)

    chats = [each for each in reading.conversations if each.kind == "chat"]
    assert [[message.content for message in each.messages] for each in chats] == [
        ["hello"],
        ["draw a till", "Here"],
    ]
    assert of_kind(reading.conversations, "document") == {
        "Shop: prompt": ["be short"],
        "a.txt": ["x"],
    }
    assert of_kind(reading.conversations, "memory") == {
        "Memory": ["likes tills"],
        "Project memory": ["short texts"],
        "/areas/shop.md": ["c"],
    }
    assert of_kind(reading.conversations, "canvas") == {"Till": ["1-1.html:\n<p>till</p>"]}
    assert (reading.skipped, reading.tally.lossy, reading.tally.unknown_fields) == ([], {}, {})
    reasons = sorted(each.reason.partition(";")[0] for each in reading.ignored)
    assert [reason.partition("(")[2] for reason in reasons] == [
        "a list of links that work once)",
        "logins)",
        "users)",
    ]
    assert not any(each.holds_words for each in reading.ignored)
    assert "ann@" not in repr(reading.conversations)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("conversations-000.zip", {"chat": 1}),
        ("claude-full.zip", {"chat": 2, "memory": 1, "document": 2}),
        ("claude-2026-09/zips/projects-000.zip", {"document": 2}),
        ("claude-2026-09/zips/memories-000.zip", {"memory": 3}),
        ("claude-2026-09/zips/frames-000.zip", {"canvas": 1}),
    ],
)
def test_any_part_of_it_is_read(name: str, kinds: dict[str, int]) -> None:
    reading = read_path(CASES / name)

    assert Counter(each.kind for each in reading.conversations) == kinds
    assert reading.skipped == []


def test_blocks_that_are_json_in_a_text_are_read() -> None:
    messages = read_path(CASES / "claude-blocks.json").only.messages

    assert [each.content for each in messages] == [
        "double encoded question",
        "final words",
        "see file",
        "from a third sender",
    ]
    assert [each.attached_text for each in messages] == [None, "Till:\nartifact words", None, None]


def test_the_manifest_alone_says_what_to_fetch() -> None:
    (path,) = NEWEST.glob("zips/manifest-*.json")

    with pytest.raises(InvalidInputError) as caught:
        read_path(path)

    assert "a list of links that work once): fetch these zips and import them:" in caught.value.text
    assert "frames-000.zip" in caught.value.text
