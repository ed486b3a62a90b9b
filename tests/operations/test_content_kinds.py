"""Each kind of content that whole exports hold: found by search, shown, exported.

docs/formats.md has the table; a content's word stands nowhere else in its export.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.formats import claude_export
from tests.formats.chatgpt_samples import conversation, message, node
from tests.formats.test_chatgpt_canvases import create, update
from tests.formats.test_chatgpt_groups import chat, chats
from tests.formats.test_chatgpt_textdocs import NOTE

Run = Callable[..., Any]
Files = dict[str, Any]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
WORD = "zeppelinmoth"
ALL, SHOWN, KEPT = ("yes", "yes", "yes"), ("no", "yes", "yes"), ("no", "no", "no")
HIDDEN = ("with `--include-hidden`",) * 3
UUID = "0a1b2c3d-0000-4000-8000-00000000000%d"


@dataclass(frozen=True)
class Content:
    """A kind of content: the files of an export with the word in it, and where it is to be seen.

    `seen`: found by `search`, shown by `conversations show --full`, written as Markdown.
    """

    name: str
    files: Files
    seen: tuple[str, str, str] = ALL


def chatgpt(*items: dict[str, Any], **fields: Any) -> Files:
    names = [f"n{number}" for number in range(len(items))]
    nodes = [node(*each) for each in zip(names, [None, *names], items, strict=False)]
    return {"conversations.json": [conversation(*nodes, **fields)]}


def claude(*blocks: Any, sender: str = "assistant", **fields: Any) -> Files:
    said = {"uuid": UUID % 1, "sender": sender, "content": list(blocks), "text": ""} | fields
    return {"conversations.json": [{"uuid": UUID % 0, "name": "A talk", "chat_messages": [said]}]}


def typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"content_type": kind} | fields


WIDGET = {"report_message": {"content": {"content_type": "text", "parts": [WORD]}}}
RUN = {"aggregate_result": {"messages": [{"text": WORD, "stream_name": "stdout"}]}}
QUESTION = message(text="question")
GIVEN = {"content": "draw", "attachments": [{"name": "brief.txt", "content": WORD}]}
CONTENTS = (
    Content("ChatGPT: a message's words", chatgpt(message(text=WORD))),
    Content(
        "ChatGPT: words that were spoken",
        chatgpt(
            message(text=typed("multimodal_text", parts=[typed("audio_transcription", text=WORD)]))
        ),
    ),
    Content(
        "ChatGPT: a canvas that a call made", chatgpt(QUESTION, create(f"Dear {WORD}, hello."))
    ),
    Content(
        "ChatGPT: a canvas after an update",
        chatgpt(QUESTION, create("Dear Ann."), update(("Ann", WORD))),
    ),
    Content("ChatGPT: a canvas of `textdocs/`", {"textdocs/a.json": NOTE | {"content": WORD}}),
    Content(
        "ChatGPT: a deep research report",
        chatgpt(
            QUESTION,
            message("tool", "", metadata={"chatgpt_sdk": {"widget_state": json.dumps(WIDGET)}}),
        ),
    ),
    Content(
        "ChatGPT: code that was run",
        chatgpt(message("assistant", typed("code", text=f"print({WORD!r})"), recipient="python")),
    ),
    Content(
        "ChatGPT: what code printed",
        chatgpt(message("tool", typed("execution_output", text=""), metadata=RUN)),
    ),
    Content(
        "ChatGPT: text of an unknown part",
        chatgpt(message(text=typed("multimodal_text", parts=[typed("new_part", text=WORD)]))),
    ),
    Content(
        "ChatGPT: a group chat's message",
        {"group_chats.json": chats(chat({"id": "m", "author": {"role": "user"}, "text": WORD}))},
    ),
    Content(
        "ChatGPT: an attachment's name",
        chatgpt(message(metadata={"attachments": [{"id": "file_1", "name": f"{WORD}.pdf"}]})),
        SHOWN,
    ),
    Content(
        "ChatGPT: thoughts",
        chatgpt(
            message("assistant", typed("thoughts", thoughts=[{"summary": "s", "content": WORD}]))
        ),
        SHOWN,
    ),
    Content(
        "ChatGPT: custom instructions",
        chatgpt(message(text=typed("user_editable_context", user_instructions=WORD)), QUESTION),
        HIDDEN,
    ),
    Content("Claude: a message's words", claude({"type": "text", "text": WORD})),
    Content(
        "Claude: pasted text",
        claude(
            {"type": "text", "text": "see"},
            sender="human",
            attachments=[{"file_name": "a.txt", "extracted_content": WORD}],
        ),
    ),
    Content(
        "Claude: an artifact that a call made",
        claude(
            {
                "type": "tool_use",
                "name": "artifacts",
                "input": {"id": "poem", "title": "Poem", "command": "create", "content": WORD},
            }
        ),
    ),
    Content(
        "Claude: an artifact's version",
        claude_export.artifact_files(
            claude_export.artifact(claude_export.version("v1")), v1__html=f"<p>{WORD}</p>"
        ),
    ),
    Content(
        "Claude: what code printed",
        claude(
            {
                "type": "tool_result",
                "name": "bash_tool",
                "content": [{"type": "text", "text": json.dumps({"stdout": WORD})}],
            }
        ),
    ),
    Content(
        "Claude: a tool's other results",
        claude(
            {"type": "text", "text": "see"},
            {
                "type": "tool_result",
                "name": "web_search",
                "content": [{"type": "text", "text": WORD}],
            },
        ),
        SHOWN,
    ),
    Content("Claude: thoughts", claude({"type": "thinking", "thinking": WORD}), SHOWN),
    Content(
        "Claude: text of an unknown block",
        claude({"type": "text", "text": "see"}, {"type": "new_block", "text": WORD}),
    ),
    Content(
        "Claude: a prompt that was put in",
        claude(
            {"type": "text", "text": "see"},
            {"type": "injected_prompt_block", "prompt": WORD},
            sender="human",
        ),
        KEPT,
    ),
    Content(
        "Claude: a project's document",
        {"projects/p.json": claude_export.project(claude_export.document(WORD))},
    ),
    Content(
        "Claude: a project's prompt",
        {"projects/p.json": claude_export.project(prompt_template=WORD)},
    ),
    Content("Claude: a memory", {"memories/m.json": claude_export.memories(WORD)}),
    Content(
        "Claude: a design chat's message",
        {
            "design_chats/d.json": {
                "uuid": UUID % 2,
                "title": "Shop",
                "project": {"uuid": UUID % 3, "name": "Shop"},
                "messages": [{"uuid": UUID % 4, "role": "user", "content": {"content": WORD}}],
            }
        },
    ),
    Content(
        "Claude: a file given to a design chat",
        {
            "design_chats/d.json": {
                "uuid": UUID % 2,
                "title": "Shop",
                "project": {"uuid": UUID % 3, "name": "Shop"},
                "messages": [{"uuid": UUID % 4, "role": "user", "content": GIVEN}],
            }
        },
    ),
)
BY_NAME = pytest.mark.parametrize("content", CONTENTS, ids=[each.name for each in CONTENTS])


@pytest.mark.large
@BY_NAME
def test_it_is_found_shown_and_exported(
    content: Content, run: Run, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    export = claude_export.written(tmp_path / "export.zip", content.files)
    there = ("-d", database_url.exposed())
    done = run("import", export, *there)
    assert done.exit_code == 0, done.stderr
    listed = run("conversations", "list", "--kind", "all", "--format", "json", *there).stdout
    (one,) = json.loads(listed)

    def seen(*words: str) -> tuple[bool, ...]:
        show = ("conversations", "show", one["id"], "--full")
        markdown = ("export", "--to", "markdown", "--output", "-")
        found = run("search", WORD, "--format", "json", *words, *there).stdout
        shown = (run(*command, *words, *there).stdout for command in (show, markdown))
        return (json.loads(found) != [], *(WORD in text for text in shown))

    hidden = seen("--include-hidden")
    assert tuple(_cell(*each) for each in zip(seen(), hidden, strict=True)) == content.seen
    # Nothing is lost on any way: the native format has all of it, and brings it back.
    native = run("export", *there).stdout
    assert WORD in native
    again = ("-d", f"sqlite:///{tmp_path / 'again.db'}")
    (tmp_path / "native.jsonl").write_text(native)
    assert run("import", tmp_path / "native.jsonl", *again).exit_code == 0
    assert run("export", *again).stdout.split("\n", 1)[1] == native.split("\n", 1)[1]


def _cell(usual: bool, hidden: bool) -> str:
    return "yes" if usual else HIDDEN[0] if hidden else "no"


def test_the_page_has_the_table() -> None:
    rows = [f"| {' | '.join([each.name, *each.seen])} |" for each in CONTENTS]
    found = re.findall(r"^\| (?:ChatGPT|Claude): .*\|$", PAGE.read_text(), re.MULTILINE)

    assert found == rows
    assert len({each.name for each in CONTENTS}) == len(CONTENTS)
