"""People's addresses are not stored; what people said and gave stays."""

from typing import Any

import msgspec
import pytest

from chatdb.formats.native import conversation_line
from tests.formats.claude_export import ACCOUNT
from tests.formats.reading import read_value

MAIL = "ann@example.org"
UUID = "0a1b2c3d-0000-4000-8000-00000000000%d"


def lines_of(value: Any) -> str:
    reading = read_value(value)
    assert reading.skipped == []
    return b"".join(map(conversation_line, reading.conversations)).decode()


@pytest.mark.parametrize(
    "value",
    [
        {
            "uuid": UUID % 1,
            "account": {"uuid": ACCOUNT, "email_address": MAIL, "ip_address": "192.0.2.7"},
            "chat_messages": [
                {"uuid": UUID % 2, "sender": "human", "text": "write me", "authorEmail": MAIL}
            ],
        },
        {
            "uuid": UUID % 1,
            "title": "Shop",
            "project": {"uuid": UUID % 3, "name": "Shop", "owner_email": MAIL},
            "creator": {"uuid": ACCOUNT, "email": MAIL},
            "owner_email": MAIL,
            "messages": [
                {
                    "uuid": UUID % 2,
                    "role": "user",
                    "content": {"content": "write me", "authorEmail": MAIL},
                }
            ],
        },
        {
            "chats": [
                {
                    "id": "g1",
                    "messages": [
                        {
                            "id": "m1",
                            "author": {"role": "user", "id": "u1", "name": "Ann", "email": MAIL},
                            "text": "write me",
                        }
                    ],
                }
            ]
        },
    ],
    ids=["claude", "claude-design", "chatgpt-group"],
)
def test_addresses_of_people_are_left_out(value: Any) -> None:
    lines = lines_of(value)

    assert "write me" in lines
    assert MAIL not in lines
    assert "192.0.2.7" not in lines


def test_an_address_that_people_speak_of_stays() -> None:
    call = {"type": "tool_use", "name": "send", "input": {"email": MAIL, "address": "5 Main St"}}
    said = {
        "uuid": UUID % 2,
        "sender": "assistant",
        "text": "",
        "content": [{"type": "text", "text": f"I wrote to {MAIL}"}, call],
    }

    lines = lines_of({"uuid": UUID % 1, "chat_messages": [said]})

    (record,) = (msgspec.json.decode(line) for line in lines.splitlines())
    (message,) = record["messages"]
    assert message["content"] == f"I wrote to {MAIL}"
    assert message["tool_calls"][0]["input"] == call["input"]
