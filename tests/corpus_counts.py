"""What the notes beside the real exports say of each: counted by hand, not by an importer."""

from dataclasses import dataclass, field


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
NO_CHAT = "chat-viewer-simple-invalid.json"
"""In the folder claude-ai: JSON that is no chat."""
