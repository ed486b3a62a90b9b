"""The real exports of other projects are read with the counts that their notes give."""

import os
from collections import Counter
from pathlib import Path

import pytest

from chatdb.errors import InvalidInputError
from tests.corpus_counts import CHATGPT, CLAUDE, NO_CHAT, Counts
from tests.formats.reading import read_path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("CHATDB_CORPUS", ROOT.parent / "shared" / "data"))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus in {CORPUS}"),
]


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
    with pytest.raises(InvalidInputError, match="not a chat export"):
        read_path(CORPUS / "claude-ai" / NO_CHAT)


def test_every_real_file_is_covered() -> None:
    found = {
        path.name for folder in ("chatgpt", "claude-ai") for path in (CORPUS / folder).iterdir()
    }

    assert found == {*CHATGPT, *CLAUDE, NO_CHAT}


def _on_active_path(conversations: list) -> int:  # type: ignore[type-arg]
    count = 0
    for record in conversations:
        by_id = {message.id: message for message in record.messages}
        current = by_id.get(record.current_message_id)
        while current is not None:
            count += 1
            current = by_id.get(current.parent_id)
    return count


STORED = [
    ("localstorage/chatmcp-chat-storage.json", "chat-storage", 2, 0, 0),
    ("localstorage/interviewprep-ai_chat_sessions_v1.json", "chat-sessions", 2, 3, 0),
    ("file-storage/conversations", "chat-files", 2, 3, 2),
]


@pytest.mark.parametrize(("path", "name", "conversations", "messages", "skipped"), STORED)
def test_what_applications_kept_without_a_database_is_read(
    path: str, name: str, conversations: int, messages: int, skipped: int
) -> None:
    reading = read_path(CORPUS / path)

    assert reading.format == name
    assert len(reading.conversations) == conversations
    assert sum(len(record.messages) for record in reading.conversations) == messages
    assert len(reading.skipped) == skipped
