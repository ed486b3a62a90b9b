"""Sentences in many languages, put together from the templates in `languages/`, a file each.

A template names what is filled in: `{topic}`, `{thing}`, `{other}` (another thing of the topic)
and `{number}`; `{Topic}` and `{Thing}` begin with a capital.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from chatdb.seeds.dice import Dice, number_of

_FOLDER = Path(__file__).with_name("languages")
_SLOT = re.compile(r"\{(\w+)\}")
_NUMBERS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 20, 24, 25, 30, 35, 40, 45, 50, 60, 75, 90, 120)


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """Something to chat about; `code` tells that programs belong in the answers."""

    name: str
    things: tuple[str, ...]
    code: bool = False


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """The templates of a language, and who speaks it.

    `offsets` are minutes from UTC, for one person after the other; `space` stands between two
    sentences, `background` is what people add to their questions.
    """

    people: tuple[str, ...]
    offsets: tuple[int, ...]
    topics: tuple[Topic, ...]
    questions: tuple[str, ...]
    followups: tuple[str, ...]
    background: tuple[str, ...]
    statements: tuple[str, ...]
    steps: tuple[str, ...]
    thanks: tuple[str, ...]
    headings: tuple[str, ...]
    titles: tuple[str, ...]
    reasoning: tuple[str, ...]
    space: str = " "


class Phrases(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said about one topic in one language, ready to be picked from."""

    topic: str
    space: str
    code: bool
    questions: tuple[str, ...]
    followups: tuple[str, ...]
    background: tuple[str, ...]
    statements: tuple[str, ...]
    steps: tuple[str, ...]
    thanks: tuple[str, ...]
    headings: tuple[str, ...]
    titles: tuple[str, ...]
    reasoning: tuple[str, ...]


@cache
def language(code: str) -> Language:
    """Return the templates of a language by its code."""
    return msgspec.json.decode((_FOLDER / f"{code}.json").read_bytes(), type=Language)


@cache
def phrases(code: str, topic: int) -> Phrases:
    """Return the phrases of a topic, by the language's code and the topic's place in its file."""
    words = language(code)
    subject = words.topics[topic]
    dice = Dice(number_of(f"{code} {subject.name}"))

    def filled(templates: Sequence[str], each: int) -> tuple[str, ...]:
        made = [_fill(template, subject, dice) for template in templates for _ in range(each)]
        return dice.shuffled(tuple(dict.fromkeys(made)))

    return Phrases(
        topic=subject.name,
        space=words.space,
        code=subject.code,
        questions=filled(words.questions, 4),
        followups=filled(words.followups, 3),
        background=filled(words.background, 4),
        statements=filled(words.statements, 5),
        steps=filled(words.steps, 3),
        thanks=words.thanks,
        headings=words.headings,
        titles=filled(words.titles, 16),
        reasoning=filled(words.reasoning, 3),
    )


def _fill(template: str, topic: Topic, dice: Dice) -> str:
    first = dice.below(len(topic.things))
    second = (first + 1 + dice.below(len(topic.things) - 1)) % len(topic.things)
    number = dice.pick(_NUMBERS)
    thing, other = topic.things[first], topic.things[second]
    slots = {"topic": topic.name, "thing": thing, "other": other, "number": str(number)}
    slots |= {"Topic": _capital(topic.name), "Thing": _capital(thing)}
    text = _SLOT.sub(lambda match: slots[match[1]], template)
    return _capital(text) if template[0] == "{" else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
