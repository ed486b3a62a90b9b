"""The planned conversations of an organization, one at a time, each made of its own number."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from chatdb.records import Conversation, Snapshot
from chatdb.seeds.clock import DAY, HOUR, MINUTE, Hours, Year, time_of
from chatdb.seeds.dice import Dice
from chatdb.seeds.passages import EMOJI, PassageWriter
from chatdb.seeds.people import Person, organization_of, person_of
from chatdb.seeds.phrases import language
from chatdb.seeds.plan import Planned, SeedPlan
from chatdb.seeds.threads import Ids, Thread

SOURCE = "seed"
EMOJI_EVERY: Final = 10
ARCHIVED_EVERY: Final = 12
STARRED_EVERY: Final = 14
SNAPSHOTS_EVERY: Final = 15
"""Of so many conversations one at least, at a place that no chance decides."""

_TITLE_CUT = 40
_FOLDERS = ("work", "home", "learning", "travel", "ideas")
_TAGS = ("todo", "later", "shared", "question", "draft", "done")


def conversations(
    plan: SeedPlan, organization_key: str, *, whole_plan: bool
) -> Iterator[Conversation]:
    """Yield what an organization gets: its share of the plan, or all of it."""
    maker = _Maker(plan, organization_key)

    def wanted(place: int) -> bool:
        return whole_plan or organization_of(place) == organization_key

    yield from map(maker.make, plan.planned(wanted=wanted))


class _Maker:
    def __init__(self, plan: SeedPlan, organization_key: str) -> None:
        self._key = organization_key
        self._year = Year(plan.ends)
        self._ends = self._year.ends
        self._dice = Dice()
        self._writer = PassageWriter(self._dice)

    def make(self, planned: Planned) -> Conversation:
        """Return one conversation, the same whenever it is asked for."""
        dice = self._dice
        dice.restart(planned.number)
        person = person_of(planned.place, self._key, dice)
        topic = dice.below(len(language(person.language).topics))
        emoji = planned.place % EMOJI_EVERY == 1
        self._writer.restart(person.language, topic, emoji=emoji)
        begins = self._year.beginning(dice, person.offset)
        identifier = Ids(planned.number >> 64).next_id(begins)
        hours = Hours(
            dice, begins, ends=self._ends, offset=person.offset, messages=planned.messages
        )
        thread = Thread(planned, dice, self._writer, hours)
        thread.grow()
        return self._record(planned, person, topic, thread, identifier, (begins, hours.now))

    def _record(
        self,
        planned: Planned,
        person: Person,
        topic: int,
        thread: Thread,
        identifier: UUID,
        times: tuple[int, int],
    ) -> Conversation:
        place = planned.place
        record = Conversation(
            id=identifier,
            user_id=person.user_id,
            title=self._title(thread),
            current_message_id=thread.leaf,
            created_at=time_of(times[0]),
            updated_at=time_of(times[1]),
            source=SOURCE,
            source_name=planned.set_name,
            source_id=planned.source_id,
            source_hash=planned.digest,
            metadata=self._metadata(person, topic),
            messages=thread.messages,
        )
        dice = self._dice
        if dice.random() < 0.6:
            record.last_accessed_at = self._later(times[1], 20 * DAY)
        if place % ARCHIVED_EVERY == 6 or dice.random() < 0.05:
            record.archived_at = self._later(times[1], 60 * DAY)
        if place % STARRED_EVERY == 8 or dice.random() < 0.02:
            record.starred_at = self._later(times[1], 2 * HOUR)
        if place % SNAPSHOTS_EVERY == 9:
            record.snapshots = self._snapshots(thread, times[1])
        return record

    def _later(self, moment: int, most: int) -> Any:
        after = min(most, self._ends - moment)
        return time_of(moment + int(self._dice.random() * after))

    def _title(self, thread: Thread) -> str | None:
        dice = self._dice
        kind = dice.random()
        if kind < 0.04:
            return None
        if kind < 0.10:
            first = next(each.content for each in thread.messages if each.role == "user")
            line = first.partition("\n")[0]
            return line if len(line) <= _TITLE_CUT else line[:_TITLE_CUT].rstrip() + "…"
        title = self._writer.title()
        return f"{dice.pick(EMOJI)} {title}" if kind > 0.97 else title

    def _metadata(self, person: Person, topic: int) -> dict[str, Any]:
        dice = self._dice
        metadata: dict[str, Any] = {
            "language": person.language,
            "topic": language(person.language).topics[topic].name,
            "utc_offset": person.offset // MINUTE,
        }
        if dice.random() < 0.5:
            metadata["folder"] = dice.pick(_FOLDERS)
        if dice.random() < 0.3:
            metadata["tags"] = sorted({dice.pick(_TAGS) for _ in range(3)})
        if dice.random() < 0.2:
            metadata["temperature"] = dice.between(0, 20) / 10
        return metadata

    def _snapshots(self, thread: Thread, moment: int) -> list[Snapshot]:
        """Return what an application would keep of its window: a few states, oldest first."""
        dice = self._dice
        made = []
        for _ in range(dice.between(1, 3)):
            moment = min(moment + dice.below(3 * HOUR) + 1, self._ends)
            state = {
                "draft": self._writer.sentences(1) if dice.random() < 0.5 else "",
                "messages": len(thread.messages),
                "open": str(thread.leaf),
                "panels": {"files": dice.random() < 0.5, "tree": dice.random() < 0.3},
                "scroll": dice.below(20_000),
            }
            made.append(
                Snapshot(id=thread.ids.next_id(moment), state=state, created_at=time_of(moment))
            )
        return made
