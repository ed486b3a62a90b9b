"""Open WebUI's tables of three generations, and chats that differ in both of their copies."""

import json
from typing import Any, Literal

from tests.layouts.foreign_databases import values

Generation = Literal["json", "rows", "current"]
Engine = Literal["sqlite", "postgresql"]

ANN, BEN = "u-ann", "u-ben"
MELONS = "11111111-1111-4111-8111-111111111101"
FOLDED = "11111111-1111-4111-8111-111111111102"
EMPTY = "11111111-1111-4111-8111-111111111103"
NOTE = "11111111-1111-4111-8111-111111111104"
COPY = "11111111-1111-4111-8111-111111111105"
AT = 1_790_000_000

_CHAT = (
    *(
        "id TEXT PRIMARY KEY",
        "user_id TEXT",
        "title TEXT",
        "created_at {time}",
        "updated_at {time}",
    ),
    *("share_id TEXT UNIQUE", "archived {truth}", "chat JSON", "pinned BOOLEAN", "meta JSON"),
    "folder_id TEXT",
)
_LATER_CHAT = ("tasks JSON", "summary TEXT", "last_read_at BIGINT")
_NEWEST_CHAT = ("current_message_id TEXT", "variables JSON", "timer_at BIGINT")
_MESSAGE = (
    *("id TEXT PRIMARY KEY", "chat_id TEXT", "user_id TEXT", "role TEXT NOT NULL"),
    *("parent_id TEXT", "content JSON", "output JSON", "model_id TEXT", "files JSON"),
    *("sources JSON", "embeds JSON", "done BOOLEAN", "status_history JSON", "error JSON"),
    *("usage JSON", "created_at BIGINT", "updated_at BIGINT", "context_summary TEXT"),
)

OUTPUT = [
    {
        "type": "reasoning",
        "id": "r1",
        "content": [{"type": "output_text", "text": "It must be weighed."}],
        "duration": 2,
    },
    {
        "type": "function_call",
        "id": "f1",
        "call_id": "c1",
        "name": "weigh",
        "arguments": '{"kg":7}',
    },
    {
        "type": "function_call_output",
        "id": "o1",
        "call_id": "c1",
        "output": [{"type": "input_text", "text": "7 kg"}],
    },
    {
        "type": "message",
        "id": "t1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "It weighs 7 kg"}],
    },
]
THOUGHT = (
    '<details type="reasoning" done="true" duration="3">\n'
    "<summary>Thought for 3 seconds</summary>\n"
    "&gt; Is 7 &lt; 8?\n&gt; Yes.\n</details>\n"
)
CALLED = (
    '<details type="tool_calls" done="true" id="c9" name="weigh"'
    ' arguments="&quot;{\\&quot;kg\\&quot;: 7}&quot;" result="&quot;7 kg&quot;">\n'
    "<summary>Tool Executed</summary>\n</details>\n"
)


def message(
    name: str, role: str, parent: str | None, content: Any, **fields: Any
) -> dict[str, Any]:
    """Return a message as the JSON of a chat has it."""
    made = {"id": name, "parentId": parent, "childrenIds": [], "role": role, "content": content}
    return {**made, "timestamp": AT + len(name), **fields}


def chat(title: str, current: str | None, *messages: dict[str, Any], **fields: Any) -> str:
    """Return the JSON of a chat."""
    by_id = {each["id"]: each for each in messages}
    for each in messages:
        if each["parentId"] in by_id:
            by_id[each["parentId"]]["childrenIds"].append(each["id"])
    history = {"messages": by_id, "currentId": current}
    return json.dumps({"id": "", "title": title, "models": ["echo"], "history": history, **fields})


def _melons(*, with_rows: bool) -> str:
    lost = [] if with_rows else [message("m-row", "user", "m-a1", "Only a row")]
    return chat(
        "Melons",
        "m-a2",
        message("m-u1", "user", None, "Weigh the melon", models=["echo"], user_id=ANN),
        message(
            *("m-a1", "assistant", "m-u1", "It weighs 7 kg"),
            model="echo",
            output=OUTPUT,
            usage={"input_tokens": 3},
            done=True,
            sources=[{"source": {"name": "scales.pdf"}, "document": ["p. 1"]}],
        ),
        message("m-a2", "assistant", "m-u1", "Words of the JSON", model="echo", done=True),
        message(
            *("m-ben", "user", "m-a1", "What of mine?"),
            user_id=BEN,
            user={"id": BEN, "name": "Ben"},
            timestamp=(AT + 60) * 1000,
            files=[{"type": "image", "url": "data:image/png;base64,iVBORw0KGgo="}],
        ),
        message(
            *("m-err", "assistant", "m-ben", ""), error={"content": "model not found"}, done=False
        ),
        *lost,
        tags=["Fruit"],
        timestamp=AT * 1000,
    )


_FOLDED = chat(
    "Folded",
    "f-2",
    message("f-1", "user", None, '<details type="reasoning">mine</details>'),
    message("f-2", "assistant", "f-1", f"{THOUGHT}{CALLED}Seven."),
)
_OTHERS = {
    EMPTY: chat("Nothing said", None),
    NOTE: chat("A note", "n-1", message("n-1", "user", None, "note to self")),
    COPY: chat("Melons", "m-u1", message("m-u1", "user", None, "Weigh the melon")),
}


def tables(generation: Generation, engine: Engine) -> tuple[str, ...]:
    """Return the tables; those of SQLite files born before 0.5 have other types for numbers."""
    old = engine == "sqlite" and generation == "json"
    types = {
        "time": "DATETIME" if old else "BIGINT",
        "truth": "INTEGER" if old else "BOOLEAN",
    }
    chats, messages = list(_CHAT), list(_MESSAGE)
    if generation != "json":
        chats += _LATER_CHAT
    if generation == "current":
        chats += _NEWEST_CHAT
        messages.append("meta JSON")
    made = [
        f"CREATE TABLE chat ({', '.join(chats).format(**types)})",
        'CREATE TABLE "user" (id TEXT PRIMARY KEY, name TEXT, email TEXT)',
        "CREATE TABLE tag (id TEXT, name TEXT, user_id TEXT, meta JSON, PRIMARY KEY (id, user_id))",
        (
            "CREATE TABLE folder (id TEXT, parent_id TEXT, user_id TEXT, name TEXT, items JSON,"
            " PRIMARY KEY (id, user_id))"
        ),
        "CREATE TABLE alembic_version (version_num VARCHAR(32))",
        "CREATE TABLE message (id TEXT PRIMARY KEY, channel_id TEXT, content TEXT)",
    ]
    if generation != "json":
        made.append(f"CREATE TABLE chat_message ({', '.join(messages)})")
        made.append(
            "CREATE TABLE shared_chat (id TEXT PRIMARY KEY, chat_id TEXT, user_id TEXT,"
            " title TEXT, chat JSON, created_at BIGINT, updated_at BIGINT)"
        )
    return tuple(made)


def rows(generation: Generation, engine: Engine) -> tuple[str, ...]:
    """Return the INSERTs: five chats, one of them a shared copy, in both copies."""
    with_rows = generation != "json"
    truth: tuple[Any, Any] = (0, 1) if engine == "sqlite" else (False, True)
    tagged = '{"tags": ["fruit", "green_ones"]}'
    internal = json.dumps({"internal": True, "type": "note", "note_id": "n"})
    chats = [
        (
            *(MELONS, ANN, "Melons", AT, AT + 90, COPY, truth[0]),
            *(_melons(with_rows=with_rows), truth[1], tagged, "d2"),
        ),
        (FOLDED, BEN, "Folded", AT, AT + 9, None, truth[1], _FOLDED, truth[0], "{}", None),
        (EMPTY, BEN, "Nothing said", AT, AT, None, truth[0], _OTHERS[EMPTY], None, "{}", None),
        (NOTE, ANN, "A note", AT, AT, None, truth[0], _OTHERS[NOTE], None, internal, None),
        (
            *(COPY, f"shared-{MELONS}", "Melons", AT, AT, None, truth[0], _OTHERS[COPY]),
            *(None, "{}", None),
        ),
    ]
    names = "id, user_id, title, created_at, updated_at, share_id, archived, chat, pinned, meta,"
    made = [
        f"INSERT INTO chat ({names} folder_id) VALUES {values(chats)}",
        f"INSERT INTO tag VALUES {values([('fruit', 'Fruit', ANN, None)])}",
        "INSERT INTO folder VALUES "
        + values([("d1", None, ANN, "Work", "{}"), ("d2", "d1", ANN, "Fruit", "{}")]),
        "INSERT INTO message VALUES ('x', 'channel', 'said in a channel')",
        "INSERT INTO alembic_version VALUES ('0bd252b206fb')",
        f"INSERT INTO \"user\" VALUES ('{ANN}', 'Ann', 'ann@example.org')",
    ]
    return (*made, *(_rows_of_messages(generation, truth) if with_rows else ()))


def message_row(chat_id: str, name: str, role: str, parent: str | None, content: Any,
                **columns: Any) -> str:  # fmt: skip
    """Return the INSERT of a message's row; JSON columns without a value have the text `null`."""
    row = {
        "id": f"{chat_id}-{name}",
        "chat_id": chat_id,
        "user_id": ANN,
        "role": role,
        "parent_id": parent,
        "content": json.dumps(content),
        "output": "null",
        "error": "null",
        "usage": "null",
        "created_at": AT + len(name),
        "updated_at": AT + 99,
        **columns,
    }
    return f"INSERT INTO chat_message ({', '.join(row)}) VALUES {values([tuple(row.values())])}"


def _rows_of_messages(generation: Generation, truth: tuple[Any, Any]) -> list[str]:
    usage = json.dumps({"input_tokens": 3, "total_tokens": 7})
    made = [
        message_row(MELONS, "m-u1", "user", None, "Weigh the melon", done=truth[1]),
        message_row(
            *(MELONS, "m-a1", "assistant", "m-u1", "It weighs 7 kg"),
            model_id="echo",
            usage=usage,
            output=json.dumps(OUTPUT),
            done=truth[1],
        ),
        message_row(MELONS, "m-a2", "assistant", "m-u1", "Words of the row", model_id="echo"),
        message_row(MELONS, "m-row", "user", "m-a1", "Only a row"),
        message_row(
            FOLDED, "f-1", "user", None, '<details type="reasoning">mine</details>', user_id=BEN
        ),
        message_row(FOLDED, "f-2", "assistant", "f-1", f"{THOUGHT}{CALLED}Seven.", user_id=BEN),
        message_row(NOTE, "n-1", "user", None, "note to self"),
        f"INSERT INTO shared_chat VALUES ('s', '{MELONS}', '{ANN}', 'Melons', '{{}}', {AT}, {AT})",
    ]
    if generation == "current":
        made.append(f"UPDATE chat SET current_message_id = 'm-a1' WHERE id = '{MELONS}'")
        made.append("UPDATE chat SET timer_at = 1790000000000000000 WHERE title = 'A note'")
    return made
