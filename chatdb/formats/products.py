"""What chatdb recognises but does not read: other products' files, and parts of exports.

A table of marks. Code that refuses or leaves out a file names it by this table; a reader checks it
before it takes an object with another product's marks.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

_LOOKED_AT = 20
"""Elements of a list that are checked for a mark: the first ones may be unusual."""
_LONGEST_NAME = 80
_NOT_YET = "chatdb does not read it yet"
_WHOLE = "give the zip or the folder"
_WITHOUT_TALKS = "the conversations are in another file of that export: give that one, or all of it"


@dataclass(frozen=True, slots=True)
class Product:
    """Something recognised by its marks: `what` it is, and `advice` if it was given alone.

    `part_of` is the export that it is a part of. `holds_words` says whether it contains people's
    words that are nowhere else in its export: leaving it out is a loss. `hint` is the next command;
    `lists` are the paths of the names of files that the advice is to end with. `loss` says why
    words are left out.
    """

    what: str
    advice: str = _NOT_YET
    part_of: str | None = None
    holds_words: bool = True
    hint: str | None = None
    lists: tuple[str, ...] = ()
    loss: str = _NOT_YET

    @property
    def refusal(self) -> str:
        """The end of a sentence on why a given file is not read."""
        return f"{self.what}{':' if self.part_of else ';'} {self.advice}"

    @property
    def refusal_inside(self) -> str:
        """The same for a file of a zip or folder that was given, and holds no conversation."""
        if self.part_of is None or self.advice != _WHOLE:
            return self.refusal
        return f"{self.reason}; {_WITHOUT_TALKS}"

    @property
    def reason(self) -> str:
        """Why a file in an export is left out."""
        return f"{self.what}; {self.loss if self.holds_words else 'no conversation is in it'}"


def _part(export: str, of: str, *, holds_words: bool = True, advice: str = _WHOLE) -> Product:
    return Product(f"a part of a {export} export ({of})", advice, export, holds_words)


_CLAUDE_CODE = Product("a Claude Code session")
_CODEX = Product("a Codex session")
_CLINE = Product("a Cline session")
_OPEN_WEBUI = Product("an Open WebUI export", advice="give that file alone")
_LIBRECHAT = Product("a LibreChat export")
_GROK = Product("a Grok export")
_SHAREGPT = Product("a ShareGPT file")
_FINE_TUNING = Product("an OpenAI fine-tuning file, not a chat export")
_TAKEOUT = Product("Gemini's part of Google Takeout")
_OASST = Product("an OpenAssistant file")
_SILLY_TAVERN = Product("a SillyTavern chat")
_LLAMA = Product("a llama.cpp chat")
_COPILOT = Product("a chat of GitHub Copilot in VS Code")
_MATTERMOST = Product("a Mattermost export")
_LINKS = replace(
    _part(
        "Claude",
        "a list of links that work once",
        holds_words=False,
        advice="fetch these zips and import them",
    ),
    hint="chatdb import FOLDER  # the folder with all of the zips",
    lists=("data_files/*/filename", "files/*/name"),
)

_COMMENTS = replace(_part("Claude", "comments on an artifact"), loss="give its folder")
_FEEDBACK = _part("Claude", "feedback", holds_words=False)
_FEEDBACK_NAME = re.compile(
    r"(?:.*[/:])?reflections/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.json"
)
_SHARED = _part("ChatGPT", "shared links", holds_words=False)
FILE_NAMES = _part("ChatGPT", "names of files", holds_words=False)
"""The reader of its conversations takes the names of attachments from it."""

_TABLE: tuple[tuple[Product, tuple[str, ...]], ...] = (
    (Product("a Qwen Code session"), ("sessionId", "parentUuid", "provenance")),
    (Product("a Qwen Code session"), ("sessionId", "parentUuid", "message/parts")),
    (_CLAUDE_CODE, ("sessionId", "parentUuid")),
    (_CLAUDE_CODE, ("sessionId", "uuid", "message/role")),
    (_CLAUDE_CODE, ("sessionId", "type=queue-operation")),
    (_CLAUDE_CODE, ("type=summary", "leafUuid")),
    (_CLAUDE_CODE, ("loglines",)),
    (_CODEX, ("type=session_meta", "payload")),
    (_CODEX, ("type=response_item", "payload")),
    (_CODEX, ("type=event_msg", "payload")),
    (_CODEX, ("record_type=state",)),
    (Product("a Gemini CLI session"), ("sessionId", "projectHash")),
    (_LLAMA, ("type=session", "harness")),
    (_LLAMA, ("type=message", "message/convId")),
    (Product("a pi session"), ("type=session", "version", "cwd")),
    (_CLINE, ("messages/*/role", "origin/sessionId")),
    (_CLINE, ("session_id", "workspace_root", "prompt")),
    (_CLINE, ("ts", "type=say", "say")),
    (_CLINE, ("ts", "type=ask", "ask")),
    (_OPEN_WEBUI, ("history/messages",)),
    (_OPEN_WEBUI, ("chat/history",)),
    (_LIBRECHAT, ("conversationId", "messagesTree")),
    (_LIBRECHAT, ("conversationId", "messages/*/messageId")),
    (_LIBRECHAT, ("conversationId", "exportAt")),
    (_LIBRECHAT, ("messageId", "parentMessageId", "isCreatedByUser")),
    (Product("a Chatbot UI export"), ("version", "history", "folders")),
    (Product("a LobeChat export"), ("exportType", "state")),
    (Product("a DeepSeek export"), ("mapping", "inserted_at")),
    (_GROK, ("conversation", "responses")),
    (_TAKEOUT, ("header", "title", "products")),
    (_TAKEOUT, ("conversation_turns",)),
    (Product("a chat of Google AI Studio"), ("chunkedPrompt",)),
    (_OASST, ("message_tree_id", "prompt")),
    (_OASST, ("message_id", "role=prompter", "text")),
    (_SILLY_TAVERN, ("user_name", "character_name")),
    (_SILLY_TAVERN, ("name", "is_user", "mes")),
    (Product("a chat of text-generation-webui"), ("internal", "visible")),
    (_COPILOT, ("requests/*/requestId",)),
    (_COPILOT, ("requesterUsername", "requests")),
    (Product("a Slack export"), ("type=message", "user", "ts")),
    (Product("a Discord export"), ("guild", "channel", "messages")),
    (_MATTERMOST, ("type=version", "version")),
    (_MATTERMOST, ("type=post", "post")),
    (_SHAREGPT, ("conversations/*/from", "conversations/*/value")),
    (_SHAREGPT, ("from", "value")),
    (Product("a WildChat file"), ("conversation_hash", "conversation/*/role")),
    (Product("an LMSYS file"), ("conversation_id", "conversation/*/role")),
    (_COMMENTS, ("threads/*/comments",)),
    (_part("Claude", "users", holds_words=False), ("uuid", "full_name", "email_address")),
    (_part("Claude", "logins", holds_words=False), ("login_events",)),
    (_LINKS, ("data_files/*/export_url",)),
    (_LINKS, ("export_id", "files/*/url")),
    (_part("ChatGPT", "group chats"), ("chats/*/messages",)),
    (_part("ChatGPT", "a canvas"), ("id", "title", "content", "!role", "!messages")),
    (_part("ChatGPT", "feedback"), ("conversation_id", "rating", "content", "!messages")),
    (_part("ChatGPT", "feedback", holds_words=False), ("conversation_id", "rating", "!messages")),
    (_SHARED, ("conversation_id", "is_anonymous", "!messages")),
    (_part("ChatGPT", "the account", holds_words=False), ("id=user-*", "email", "!messages")),
    (FILE_NAMES, ("file[-_]*.dat=*",)),
    (FILE_NAMES, ("file_id", "file_name", "!messages")),
    (_part("ChatGPT", "a list of its files", holds_words=False), ("files/*=conversations*.json",)),
    (_FINE_TUNING, ("preferred_output", "non_preferred_output")),
    (Product("a file of preferences (DPO), not a chat export"), ("chosen", "rejected")),
    (_FINE_TUNING, ("messages/*/role", "!id", "!title", "!uuid")),
)  # fmt: skip
"""Marks are paths of keys. `*` is any key or element, `=` a required value, `!` one that must be
absent."""

_TEXTS: tuple[tuple[Product, bytes], ...] = (
    (
        _part("ChatGPT", "its pages for reading", holds_words=False),
        b"<title>ChatGPT Data Export</title>",
    ),
    (Product("a Microsoft Copilot export"), b"Conversation,Time,Author,Message"),
)


def product_of(value: Any) -> Product | None:
    """Return what a decoded value is by its marks, None if it has none."""
    if not isinstance(value, dict):
        return None
    for product, marks in _TABLE:
        if all(_has(value, mark) for mark in marks):
            return _with_names(product, value)
    return None


def product_among(values: Iterable[Any], head: bytes = b"") -> Product | None:
    """Return what a file is by its first values, or by its first bytes if it is not JSON."""
    found = next(filter(None, map(product_of, values)), None)
    if found is None:
        found = next((product for product, text in _TEXTS if text in head), None)
    return found


def product_named(name: str) -> Product | None:
    """Return what a file of no known structure is that an export gives this name and no other.

    Nobody has described the structure of the feedback, which is never read.
    """
    return _FEEDBACK if _FEEDBACK_NAME.fullmatch(name) else None


def _with_names(product: Product, value: dict[str, Any]) -> Product:
    """Return a product with the names in its list at the end of its advice."""
    found = (each for path in product.lists for each in _at(value, path.split("/")))
    names = [name[:_LONGEST_NAME] for name in found if isinstance(name, str) and name]
    if not names:
        return product
    more = " ..." if len(names) >= _LOOKED_AT else ""
    return replace(product, advice=f"{product.advice}: {', '.join(names)}{more}")


def _has(value: dict[str, Any], mark: str) -> bool:
    """Tell whether an object has a mark of the table."""
    if mark.startswith("!"):
        return mark[1:] not in value
    path, equals, wanted = mark.partition("=")
    found = _at(value, path.split("/"))
    if not equals:
        return any(True for _ in found)
    return any(isinstance(each, str) and fnmatchcase(each, wanted) for each in found)


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield the values at a path, for each way to match its patterns."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        if "*" not in step:
            if step in value:
                yield from _at(value[step], rest)
            return
        for key in [key for key in value if fnmatchcase(str(key), step)][:_LOOKED_AT]:
            yield from _at(value[key], rest)
    elif isinstance(value, list) and step == "*":
        for each in value[:_LOOKED_AT]:
            yield from _at(each, rest)
