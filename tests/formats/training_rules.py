"""The rules of the training sets, each as a check that raises AssertionError."""

import json
import re
from collections.abc import Iterator
from typing import Any

Fields = dict[str, Any]


def check_openai(example: Fields) -> None:
    """Check a line for OpenAI's fine-tuning: roles, calls with their results, an answer at last."""
    assert example.keys() <= {"messages", "tools", "parallel_tool_calls"}
    messages = example["messages"]
    called = _check_chat(messages, weights=True)
    assert messages[-1]["role"] == "assistant"
    assert messages[-1]["content"]
    answers = [message for message in messages if message["role"] == "assistant"]
    assert any(answer.get("weight", 1) == 1 for answer in answers)
    _check_tools(example, called)


def check_dpo(example: Fields) -> None:
    """Check a pair in the conversational form of TRL: each side goes on from the prompt."""
    assert {"prompt", "chosen", "rejected"} <= example.keys()
    assert example.keys() <= {"prompt", "chosen", "rejected", "tools"}
    prompt = example["prompt"]
    assert prompt[-1]["role"] == "user"
    assert example["chosen"] != example["rejected"]
    called = set()
    for side in ("chosen", "rejected"):
        assert {message["role"] for message in example[side]} <= {"assistant", "tool"}
        assert example[side][-1]["role"] == "assistant"
        called |= _check_chat([*prompt, *example[side]], weights=False)
    _check_tools(example, called)


def _check_chat(messages: list[Fields], *, weights: bool) -> set[str]:
    """Check the messages; return the names of the functions called."""
    open_calls: set[str] = set()
    called: set[str] = set()
    for message in messages:
        role, content = message["role"], message.get("content")
        assert role in ("system", "developer", "user", "assistant", "tool")
        if role == "tool":
            assert message.keys() == {"role", "content", "tool_call_id"}
            assert isinstance(content, str)
            open_calls.remove(message["tool_call_id"])
            continue
        assert not open_calls, "a call without its result"
        allowed = {"role", "content", "name"}
        calls = message.get("tool_calls", [])
        if role == "assistant":
            allowed |= {"tool_calls", "weight"} if weights else {"tool_calls"}
            assert message.get("weight", 1) in (0, 1)
        assert message.keys() <= allowed
        assert calls or (isinstance(content, str) and content.strip())
        for call in calls:
            assert call.keys() == {"id", "type", "function"}
            assert call["type"] == "function"
            assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", call["function"]["name"])
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
            assert call["id"] not in open_calls
            open_calls.add(call["id"])
            called.add(call["function"]["name"])
    assert not open_calls, "a call without its result"
    return called


def _check_tools(example: Fields, called: set[str]) -> None:
    tools = example.get("tools", [])
    assert {tool["function"]["name"] for tool in tools} == called
    for tool in tools:
        assert tool["type"] == "function"
        assert tool["function"]["parameters"]["type"] == "object"


def check_sharegpt(example: Fields) -> None:
    """Check an element: questions and results take turns with answers and calls."""
    assert example.keys() <= {"id", "conversations", "system", "tools"}
    turns = example["conversations"]
    for place, turn in enumerate(turns):
        assert turn.keys() == {"from", "value"}
        expected = ("gpt", "function_call") if place % 2 else ("human", "observation")
        assert turn["from"] in expected
        assert isinstance(turn["value"], str)
        if turn["from"] == "function_call":
            calls = json.loads(turn["value"])
            calls = calls if isinstance(calls, list) else [calls]
            assert all(isinstance(call["arguments"], dict) for call in calls)
            names = {tool["name"] for tool in json.loads(example["tools"])}
            assert names >= {call["name"] for call in calls}
            assert turns[place + 1]["from"] == "observation"
        if turn["from"] == "observation":
            assert turns[place - 1]["from"] == "function_call"
    assert turns[0]["from"] == "human"
    assert turns[-1]["from"] == "gpt"


_OASST = {"message_id": str, "text": str, "role": str, "lang": str, "review_count": int} | {
    "review_result": bool,
    "deleted": bool,
    "synthetic": bool,
    "replies": list,
    "parent_id": str,
    "rank": int,
    "model_name": str,
    "emojis": dict,
}
_SELDOM = {"parent_id", "rank", "model_name", "emojis"}


def check_oasst(tree: Fields) -> None:
    """Check a tree: a prompt at its root, roles in turn, parents and ranks that fit."""
    assert tree.keys() == {"message_tree_id", "tree_state", "prompt"}
    assert tree["tree_state"] == "ready_for_export"
    assert tree["message_tree_id"] == tree["prompt"]["message_id"]
    assert tree["prompt"]["role"] == "prompter"
    assert "parent_id" not in tree["prompt"]
    seen = set()
    for node in _nodes(tree["prompt"]):
        assert _OASST.keys() - _SELDOM <= node.keys() <= _OASST.keys()
        assert all(isinstance(node[name], _OASST[name]) for name in node)
        assert node["text"].strip()
        assert node["message_id"] not in seen
        seen.add(node["message_id"])
        for reply in node["replies"]:
            assert reply["parent_id"] == node["message_id"]
            assert {reply["role"], node["role"]} == {"prompter", "assistant"}
        ranks = [reply["rank"] for reply in node["replies"] if "rank" in reply]
        assert not ranks or min(ranks) == 0
        assert all(0 <= rank < len(node["replies"]) for rank in ranks)


def _nodes(root: Fields) -> Iterator[Fields]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node["replies"]


CHECKS = {
    "openai-finetune": check_openai,
    "sharegpt": check_sharegpt,
    "oasst": check_oasst,
    "dpo": check_dpo,
}
