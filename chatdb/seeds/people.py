"""The organizations of the demonstration, and who chats there, in which language, and where."""

from dataclasses import dataclass
from functools import cache

from chatdb.seeds.clock import MINUTE
from chatdb.seeds.demo import DEMO
from chatdb.seeds.dice import Dice, running_sums
from chatdb.seeds.phrases import language

ORGANIZATIONS = {
    DEMO: "Demo",
    "demo-research": "Harbour Research",
    "demo-school": "Lantern School",
    "demo-clinic": "Orchard Clinic",
    "demo-games": "Tidewater Games",
}
"""By key: the name. All keys begin alike, so that nobody takes them for tenants of their own."""

_TURNS = (DEMO, "demo-research", DEMO, "demo-school", DEMO, "demo-clinic", "demo-games")
_MOST = "en"
_OTHERS = ("de", "ja", "es", "zh", "fr", "ar", "pt", "ru", "hi", "ko", "th", "he", "it", "es", "zh")
"""Every second conversation is in one of these, in turn: 32 conversations have them all."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who chats: their id (None: nobody was logged in), language, and offset from UTC."""

    user_id: str | None
    language: str
    offset: int


def organization_of(place: int) -> str:
    """Return the key of the organization whose conversation stands at this place of the plan."""
    return _TURNS[place % len(_TURNS)]


def person_of(place: int, organization_key: str, dice: Dice) -> Person:
    """Return who chats in the conversation at this place; a few people write most."""
    code = _OTHERS[place // 2 % len(_OTHERS)] if place % 2 else _MOST
    words = language(code)
    rank = dice.weighted(_activity(len(words.people)))
    known = dice.random() >= 0.03
    user_id = f"{words.people[rank]}@{organization_key}.example" if known else None
    return Person(user_id, code, words.offsets[rank % len(words.offsets)] * MINUTE)


@cache
def _activity(people: int) -> tuple[int, ...]:
    return running_sums([60 // (rank + 2) for rank in range(people)])
