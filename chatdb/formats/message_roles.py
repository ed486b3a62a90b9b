"""Mapping the roles of sources to the four that chatdb knows."""

from typing import Any

from chatdb.records import Role

_USUAL: dict[str, Role] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "human": "user",
}
_OTHER: dict[str, Role] = {
    "developer": "system",
    "context": "system",
    "prompter": "user",
    "customer": "user",
    "visitor": "user",
    "request": "user",
    "ai": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "claude": "assistant",
    "gemini": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "response": "assistant",
    "function": "tool",
    "function_call": "assistant",
    "function_result": "tool",
    "observation": "tool",
    "tool_result": "tool",
}


def usual_role(raw: Any) -> Role | None:
    """Return the role for the usual words, which need no mark; None for everything else."""
    # A list or object as a role would be an unhashable key.
    return _USUAL.get(raw) if isinstance(raw, str) else None


def mapped_role(raw: Any) -> tuple[Role, bool]:
    """Return the role for an unusual word, and whether it is known; the original is to be marked.

    An unknown or missing role becomes the assistant's: words of unclear origin must not be
    attributed to the user.
    """
    if isinstance(raw, str):
        word = raw.strip().lower()
        role = _USUAL.get(word) or _OTHER.get(word)
        if role is not None:
            return role, True
    return "assistant", False
