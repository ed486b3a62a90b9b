"""The real exports of other projects are read with the counts that their notes give."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chatdb.errors import InvalidInputError
from tests.formats.reading import read_path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("CHATDB_CORPUS", ROOT.parent / "shared" / "data"))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus in {CORPUS}"),
]


@dataclass(frozen=True)
class Counts:
    """What the notes say: conversations that can be read, skipped entries, and the messages."""

    conversations: int
    roles: dict[str, int]
    skipped: int = 0
    types: dict[str, int] = field(default_factory=dict)
    branch_points: int = 0
    active_path: int | None = None


CHATGPT = {
    "chatgpt2graph-conversations.json": Counts(
        1,
        {"system": 2, "user": 8, "assistant": 23, "tool": 11},
        types={"text": 22, "code": 11, "execution_output": 11},
        active_path=44,
    ),
    "chatlore-conversations.json": Counts(
        3,
        {"system": 1, "user": 3, "assistant": 6, "tool": 1},
        skipped=1,
        types={"text": 7, "multimodal_text": 1, "thoughts": 1, "code": 1, "execution_output": 1},
        branch_points=1,
        active_path=10,
    ),
    "export-studio-conversations.json": Counts(2, {"user": 3, "assistant": 3}, types={"none": 6}),
    "export-studio-sample_export.zip": Counts(2, {"user": 3, "assistant": 3}, types={"none": 6}),
    "librechat-chatgpt-modern-export.json": Counts(
        2,
        {"user": 4, "assistant": 3},
        skipped=1,
        types={"user_editable_context": 1, "text": 6},
        active_path=7,
    ),
    "librechat-chatgpt-tree.json": Counts(
        1,
        {"system": 1, "user": 5, "assistant": 6},
        types={"text": 12},
        branch_points=2,
        active_path=7,
    ),
    "looselips-conversations.json": Counts(5, {"user": 5, "assistant": 5}, types={"none": 10}),
}
CLAUDE = {
    "chat-viewer-claude-bakery-chat.json": Counts(
        1, {"user": 2, "assistant": 2}, types={"text": 4}
    ),
    "chat-viewer-conversations-multiple-errors.json": Counts(
        4, {"user": 3, "assistant": 1}, skipped=1, types={"text": 2}
    ),
    "chat-viewer-conversations.json": Counts(2, {"user": 3, "assistant": 3}, types={"text": 6}),
    "chatlore-conversations.json": Counts(
        2,
        {"user": 3, "assistant": 4},
        skipped=1,
        types={"text": 4, "thinking": 1, "tool_use": 1, "tool_result": 1},
        branch_points=1,
    ),
    "openwebui-importer-claude_thinking_example.json": Counts(
        1, {"user": 1, "assistant": 1}, types={"text": 2, "thinking": 1}
    ),
}
FILES = [("chatgpt", name, counts) for name, counts in CHATGPT.items()]
FILES += [("claude", name, counts) for name, counts in CLAUDE.items()]


@pytest.mark.parametrize(("name", "file", "counts"), FILES, ids=lambda value: str(value)[:40])
def test_a_real_export_gives_the_counts_of_its_notes(name: str, file: str, counts: Counts) -> None:
    reading = read_path(CORPUS / {"chatgpt": "chatgpt", "claude": "claude-ai"}[name] / file)

    messages = [message for record in reading.conversations for message in record.messages]
    forks = Counter((id(record), message.parent_id) for record in reading.conversations
                    for message in record.messages if message.parent_id is not None)  # fmt: skip
    assert reading.format == name
    assert len(reading.conversations) == counts.conversations
    assert len(reading.skipped) == counts.skipped
    assert dict(Counter(message.role for message in messages)) == counts.roles
    assert dict(reading.tally.content_types) == counts.types
    assert sum(count > 1 for count in forks.values()) == counts.branch_points
    if counts.active_path is not None:
        assert _on_active_path(reading.conversations) == counts.active_path


def test_json_that_is_no_chat_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no chat export"):
        read_path(CORPUS / "claude-ai" / "chat-viewer-simple-invalid.json")


def test_every_real_file_is_covered() -> None:
    found = {
        path.name for folder in ("chatgpt", "claude-ai") for path in (CORPUS / folder).iterdir()
    }

    assert found == {*CHATGPT, *CLAUDE, "chat-viewer-simple-invalid.json"}


def _on_active_path(conversations: list) -> int:  # type: ignore[type-arg]
    count = 0
    for record in conversations:
        by_id = {message.id: message for message in record.messages}
        current = by_id.get(record.current_message_id)
        while current is not None:
            count += 1
            current = by_id.get(current.parent_id)
    return count
