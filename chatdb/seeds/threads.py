"""The messages of one conversation: turns, tools and thoughts, edited questions, other answers."""

from typing import Any, Final
from uuid import UUID

from chatdb.records import MARKS, Message
from chatdb.seeds.clock import Hours, time_of
from chatdb.seeds.dice import Dice
from chatdb.seeds.passages import PassageWriter
from chatdb.seeds.plan import Planned

LONG_EVERY: Final = 400
LONG_AT: Final = 7
LONG_CHARACTERS: Final = 120_000
"""Every so many conversations, the one at this place begins with a paste of at least so many."""
RESTLESS_EVERY: Final = 13
RESTLESS_AT: Final = 4
TOOLS_EVERY: Final = 9
TOOLS_AT: Final = 3
SYSTEM_EVERY: Final = 11
SYSTEM_AT: Final = 2

_MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("anthropic", "claude-sonnet-4"),
    ("google", "gemini-2.5-pro"),
    ("anthropic", "claude-opus-4"),
    ("local", "llama-3.3-70b"),
)
_THINKING = frozenset(("gpt-5", "claude-opus-4", "gemini-2.5-pro"))
_TOOLS = ("web_search", "calculator", "read_file", "calendar")
_FILES = (
    ("invoice", "pdf", "application/pdf"),
    ("photo", "jpg", "image/jpeg"),
    ("screenshot", "png", "image/png"),
    ("measurements", "csv", "text/csv"),
)
_HIDDEN = {MARKS: {"hidden": True}}
_LOW_BITS = (1 << 62) - 1
_STRIDE = 0x1F83D9ABFB41BD6B


class Ids:
    """UUIDs of version 7 that belong to one conversation: its number, then one a moment."""

    __slots__ = ("_count", "_low")

    def __init__(self, number: int) -> None:
        self._low = number & _LOW_BITS
        self._count = 0

    def next_id(self, moment: int) -> UUID:
        """Return the next id; `moment` is in microseconds."""
        self._count += 1
        low = (self._low + self._count * _STRIDE) & _LOW_BITS
        high = moment // 1000 << 16 | 0x7000 | self._count & 0xFFF
        return UUID(int=high << 64 | 2 << 62 | low)


class Thread:
    """Grows the messages of a conversation to their planned number; `leaf` is the active one."""

    def __init__(self, planned: Planned, dice: Dice, writer: PassageWriter, hours: Hours) -> None:
        self.messages: list[Message] = []
        self.leaf: UUID | None = None
        self.ids = Ids(planned.number)
        self._dice = dice
        self._random = dice.random
        self._writer = writer
        self._hours = hours
        self._count = planned.messages
        self._long = planned.place % LONG_EVERY == LONG_AT
        restless = planned.place % RESTLESS_EVERY == RESTLESS_AT or self._random() < 0.12
        self._again = 0.3 if restless else 0.01
        tools = planned.place % TOOLS_EVERY == TOOLS_AT or self._random() < 0.12
        self._with_tools = 0.5 if tools else 0.0
        system = planned.place % SYSTEM_EVERY == SYSTEM_AT or self._random() < 0.08
        self._with_system = system and planned.messages > 1
        self._author, self._model = dice.pick(_MODELS)
        self._asked: list[UUID | None] = []

    def grow(self) -> None:
        """Make the messages."""
        messages = self.messages
        count = self._count
        if self._with_system:
            self.leaf = self._system()
        turn = 0
        while len(messages) < count:
            if turn and self._random() < self._again:
                back = self._dice.between(1, min(3, len(self._asked)))
                self.leaf = self._asked[-back]
                del self._asked[-back:]
            self._ask(turn)
            if len(messages) < count:
                self._reply()
            turn += 1

    @property
    def _room(self) -> int:
        return self._count - len(self.messages)

    def _system(self) -> UUID:
        moment = self._hours.follow()
        text = self._writer.sentences(2)
        return self._add(
            Message(
                id=self.ids.next_id(moment),
                role="system",
                content=text,
                source_id="0",
                metadata=_HIDDEN,
                created_at=time_of(moment),
            )
        )

    def _ask(self, turn: int) -> None:
        random = self._random
        moment = self._hours.write()
        text = self._writer.question(turn)
        if turn and len(self.messages) + 2 >= self._count and random() < 0.5:
            text = self._writer.thanks()
        if self._long and not turn:
            size = LONG_CHARACTERS + int(random() * 2 * LONG_CHARACTERS)
            text += f"\n\n```\n{self._writer.log(size)}\n```"
        message = Message(
            id=self.ids.next_id(moment),
            parent_id=self.leaf,
            role="user",
            content=text,
            source_id=str(len(self.messages)),
            created_at=time_of(moment),
        )
        if random() < 0.04:
            message.attachments = [self._file()]
        self._asked.append(self.leaf)
        self.leaf = self._add(message)

    def _reply(self) -> None:
        if self._with_tools and self._random() < self._with_tools and self._room > 2:
            self._use_tool()
        parent = self.leaf
        self.leaf = self._answer(parent)
        while self._random() < self._again and self._room:
            self._author, self._model = self._dice.pick(_MODELS)
            other = self._answer(parent)
            if self._random() < 0.8:
                self.leaf = other

    def _answer(self, parent: UUID | None) -> UUID:
        random = self._random
        moment = self._hours.answer()
        text = self._writer.answer()
        metadata: dict[str, Any] = {
            "finish_reason": "stop" if random() < 0.97 else "length",
            "tokens": {"input": 200 + int(random() * 6_000), "output": 1 + len(text) // 4},
            "milliseconds": 300 + int(random() * 20_000),
        }
        if random() < 0.03:
            metadata["rating"] = "good" if random() < 0.7 else "bad"
        message = Message(
            id=self.ids.next_id(moment),
            parent_id=parent,
            role="assistant",
            author=self._author,
            model=self._model,
            content=text,
            source_id=str(len(self.messages)),
            metadata=metadata,
            created_at=time_of(moment),
        )
        if self._model in _THINKING and random() < 0.4:
            message.reasoning = [{"content": self._writer.thoughts()}]
        return self._add(message)

    def _use_tool(self) -> None:
        name = self._dice.pick(_TOOLS)
        call = f"call_{self._dice.below(1 << 40):010x}"
        moment = self._hours.answer()
        asked = Message(
            id=self.ids.next_id(moment),
            parent_id=self.leaf,
            role="assistant",
            author=self._author,
            model=self._model,
            content=self._writer.sentences(1) if self._random() < 0.4 else "",
            tool_calls=[{"id": call, "name": name, "input": self._input(name)}],
            source_id=str(len(self.messages)),
            metadata={"finish_reason": "tool_calls"},
            created_at=time_of(moment),
        )
        self._add(asked)
        moment = self._hours.follow()
        text = self._writer.sentences(self._dice.between(1, 6))
        failed = self._random() < 0.05
        answered = Message(
            id=self.ids.next_id(moment),
            parent_id=asked.id,
            role="tool",
            author=name,
            content="" if failed else text,
            tool_outputs=[{"tool_use_id": call, "name": name, "is_error": failed}],
            source_id=str(len(self.messages)),
            created_at=time_of(moment),
        )
        self.leaf = self._add(answered)

    def _input(self, name: str) -> dict[str, Any]:
        if name == "web_search":
            return {"query": self._writer.search_words(), "limit": self._dice.between(3, 10)}
        if name == "calculator":
            return {"expression": f"{self._dice.below(900)} * {self._dice.below(90)} / 7"}
        if name == "read_file":
            return {"path": f"notes/{self._dice.below(400)}.md"}
        return {"from": "2026-03-02", "days": self._dice.between(1, 14)}

    def _file(self) -> dict[str, Any]:
        name, ending, kind = self._dice.pick(_FILES)
        number, size = self._dice.below(9_000), self._dice.between(2_000, 4_000_000)
        return {"name": f"{name}-{number:04}.{ending}", "mime_type": kind, "size": size}

    def _add(self, message: Message) -> UUID:
        self.messages.append(message)
        return message.id
