"""Any row of commands on conversations and messages, against a plain model, on both databases."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatdb.db.database import Database
from chatdb.db.schema import messages
from chatdb.operations.conversations import branches, changes
from chatdb.operations.conversations.delete import delete_conversations
from chatdb.operations.conversations.delete_messages import delete_messages
from chatdb.operations.conversations.lists import list_page, read_conversation
from chatdb.operations.conversations.messages import NewMessage, add, edit
from chatdb.records import organization_id_of
from chatdb.store.columns import FLAGS
from chatdb.store.selecting import ConversationFilter
from tests.operations.conversation_rows import add_organization

USERS = ("ann", "bob")
ORGANIZATIONS = ("first", "second")
_numbers = count()


@dataclass
class Said:
    """A message of the model; `moment` is when it was made."""

    id: UUID
    parent: UUID | None
    text: str
    moment: int


@dataclass
class Talk:
    """A conversation of the model; `changed` grows with every change of any."""

    id: UUID
    organization: str
    user: str
    title: str
    changed: int
    leaf: UUID | None = None
    flags: set[str] = field(default_factory=set)
    said: list[Said] = field(default_factory=list)

    def children(self, parent: UUID | None) -> list[Said]:
        return [each for each in self.said if each.parent == parent]

    def below(self, top: UUID) -> list[Said]:
        """Return a message and all below it, in their order."""
        wanted = {top}
        for each in self.said:  # parents come before their answers
            if each.parent in wanted:
                wanted.add(each.id)
        return [each for each in self.said if each.id in wanted]

    def newest_leaf(self, among: list[Said]) -> UUID | None:
        leaves = [each for each in among if not self.children(each.id)]
        return (
            max(leaves, key=lambda each: (each.moment, self.said.index(each))).id
            if leaves
            else None
        )

    def path(self, end: UUID | None) -> list[Said]:
        by_id = {each.id: each for each in self.said}
        found: list[Said] = []
        while end in by_id:
            found.append(by_id[end])
            end = by_id[end].parent
        return found[::-1]

    def remove(self, gone: set[UUID]) -> None:
        """Take messages out; answers that stay move up, and so does the leaf."""
        parents = {each.id: each.parent for each in self.said}

        def above(place: UUID | None) -> UUID | None:
            while place in gone:
                place = parents[place]
            return place

        self.said = [each for each in self.said if each.id not in gone]
        for each in self.said:
            each.parent = above(each.parent)
        if self.leaf in gone:
            top = above(self.leaf)
            self.leaf = self.newest_leaf(self.said if top is None else self.below(top))


class Conversations(RuleBasedStateMachine):
    """Commands in any order; after each the database and the model say the same."""

    database: Database
    talks = Bundle("talks")

    @initialize()
    def begin(self) -> None:
        number = next(_numbers)
        self.organizations = [f"{each}-{number}" for each in ORGANIZATIONS]
        for key in self.organizations:
            add_organization(self.database, key)
        self.model: dict[UUID, Talk] = {}
        self.clock = 0

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def own(self, talk: Talk, *, user: bool = True) -> dict[str, Any]:
        narrowed = {"user_id": talk.user} if user else {}
        return {"organization_key": talk.organization, **narrowed}

    def changed(self, talk: Talk) -> None:
        talk.changed = self.tick()

    @rule(target=talks, user=st.sampled_from(USERS), place=st.sampled_from((0, 1)), text=st.text())
    def create(self, user: str, place: int, text: str) -> UUID:
        new = changes.NewConversation(title=f"T {text}", user_id=user)
        key = self.organizations[place]
        made = changes.create(self.database, new, organization_key=key)
        assert made.title is not None
        self.model[made.id] = Talk(made.id, key, user, made.title, self.tick())
        return made.id

    @rule(name=talks, amount=st.integers(1, 3), choice=st.integers(0, 99), named=st.booleans())
    def say(self, name: UUID, amount: int, choice: int, named: bool) -> None:
        talk = self.model.get(name)
        if talk is None:
            return
        parent = talk.said[choice % len(talk.said)].id if named and talk.said else None
        moment = self.tick()
        new = [
            NewMessage(
                content=f"{moment} {index}", parent=str(parent) if parent and not index else None
            )
            for index in range(amount)
        ]
        add(self.database, str(name), new, **self.own(talk))
        place = parent or talk.leaf
        for each in new:
            talk.said.append(Said(each.id, place, each.content, moment))
            place = each.id
        talk.leaf, talk.changed = place, moment

    @rule(name=talks, choice=st.integers(0, 99))
    def correct(self, name: UUID, choice: int) -> None:
        talk = self.model.get(name)
        if talk is None or not talk.said:
            return
        said = talk.said[choice % len(talk.said)]
        said.text = f"edited {self.tick()}"
        edit(self.database, str(name), str(said.id), {"content": said.text}, **self.own(talk))
        self.changed(talk)

    @rule(name=talks, choices=st.lists(st.integers(0, 99), min_size=1, max_size=3))
    def unsay(self, name: UUID, choices: list[int]) -> None:
        talk = self.model.get(name)
        if talk is None or not talk.said:
            return
        gone = {talk.said[choice % len(talk.said)].id for choice in choices}
        delete_messages(
            self.database, name, sorted(gone), keep_to=None, organization_key=talk.organization
        )
        talk.remove(gone)
        self.changed(talk)

    @rule(name=talks, flag=st.sampled_from(tuple(FLAGS)), is_set=st.booleans())
    def set_flag(self, name: UUID, flag: str, is_set: bool) -> None:
        talk = self.model.get(name)
        if talk is None:
            return
        changes.set_flag(self.database, [str(name)], flag, is_set=is_set, **self.own(talk))
        if (flag in talk.flags) is not is_set:
            talk.flags ^= {flag}
            self.changed(talk)

    @rule(name=talks)
    def rename(self, name: UUID) -> None:
        talk = self.model.get(name)
        if talk is None:
            return
        talk.title = f"renamed {self.tick()}"
        changes.rename(self.database, str(name), talk.title, **self.own(talk))
        self.changed(talk)

    @rule(name=talks)
    def touch(self, name: UUID) -> None:
        talk = self.model.get(name)
        if talk is not None:
            changes.touch(self.database, [str(name)], **self.own(talk))

    @rule(target=talks, name=talks, choice=st.integers(0, 99))
    def fork(self, name: UUID, choice: int) -> UUID:
        talk = self.model.get(name)
        if talk is None or not talk.said:
            return name
        at = talk.said[choice % len(talk.said)].id
        made = branches.fork(self.database, str(name), str(at), title="fork", **self.own(talk))
        fresh = read_conversation(self.database, str(made.id), **self.own(talk))
        path = talk.path(at)
        ids = {old.id: new.id for old, new in zip(path, fresh.messages, strict=True)}
        copies = [Said(ids[e.id], e.parent and ids[e.parent], e.text, e.moment) for e in path]
        self.model[made.id] = Talk(
            made.id, talk.organization, talk.user, "fork", self.tick(), ids[at], said=copies
        )
        return made.id

    @rule(target=talks, name=talks, choice=st.integers(0, 99))
    def split(self, name: UUID, choice: int) -> UUID:
        talk = self.model.get(name)
        if talk is None or not talk.said:
            return name
        at = talk.said[choice % len(talk.said)]
        moved = talk.below(at.id)
        if len(moved) == len(talk.said):
            return name
        made = branches.split(self.database, str(name), str(at.id), title="split", **self.own(talk))
        new = Talk(made.id, talk.organization, talk.user, "split", self.tick(), said=moved)
        ids = {each.id for each in moved}
        new.leaf = talk.leaf if talk.leaf in ids else new.newest_leaf(moved)
        talk.remove(ids)
        at.parent = None
        talk.changed = new.changed
        self.model[made.id] = new
        return made.id

    @rule(name=talks, gone=consumes(talks))
    def merge(self, name: UUID, gone: UUID) -> None:
        into, other = self.model.get(name), self.model.get(gone)
        if into is None or other is None or into is other:
            return
        if (into.organization, into.user) != (other.organization, other.user):
            return
        branches.merge(self.database, name, gone, keep_to=None, organization_key=into.organization)
        end = into.leaf
        for each in other.said:
            if each.parent is None and into.said:
                each.parent = end
        into.leaf = other.leaf or into.leaf
        into.said += other.said
        self.changed(into)
        del self.model[gone]

    @rule(gone=consumes(talks))
    def delete(self, gone: UUID) -> None:
        talk = self.model.pop(gone, None)
        if talk is not None:
            key = talk.organization
            delete_conversations(self.database, [gone], organization_key=key, keep_to=None)

    @invariant()
    def lists_agree(self) -> None:
        for key in getattr(self, "organizations", ()):
            for user in (None, *USERS):
                wanted = ConversationFilter(user_id=user)
                page = list_page(self.database, organization_key=key, wanted=wanted, limit=1_000)
                expected = [
                    talk
                    for talk in self.model.values()
                    if talk.organization == key and user in (None, talk.user)
                ]
                found = {
                    item.id: (
                        item.title,
                        item.user_id,
                        item.message_count,
                        {flag for flag in FLAGS if getattr(item, FLAGS[flag]) is not None},
                    )
                    for item in page.items
                }
                assert found == {t.id: (t.title, t.user, len(t.said), t.flags) for t in expected}
                times = [self.model[item.id].changed for item in page.items]
                assert times == sorted(times, reverse=True)

    @invariant()
    @precondition(lambda self: bool(getattr(self, "model", None)))
    def the_last_changed_conversation_agrees(self) -> None:
        newest = max(self.model.values(), key=lambda talk: talk.changed).changed
        for talk in [each for each in self.model.values() if each.changed == newest]:
            record = read_conversation(self.database, str(talk.id), **self.own(talk))
            assert [(m.id, m.parent_id, m.content) for m in record.messages] == [
                (each.id, each.parent, each.text) for each in talk.said
            ]
            assert record.current_message_id == talk.leaf

    def teardown(self) -> None:
        """Hold that nothing is left of what went, and that positions rise."""
        if not hasattr(self, "model"):
            return
        for key in self.organizations:
            with self.database.transaction() as connection:
                rows = connection.execute(
                    sa.select(messages.c.conversation_id, messages.c.id)
                    .where(messages.c.organization_id == organization_id_of(key))
                    .order_by(messages.c.conversation_id, messages.c.position)
                ).all()
            found: dict[UUID, list[UUID]] = {}
            for conversation, message in rows:
                found.setdefault(conversation, []).append(message)
            talks = [each for each in self.model.values() if each.organization == key and each.said]
            assert found == {talk.id: [each.id for each in talk.said] for talk in talks}


@pytest.mark.large
def test_any_commands_leave_what_the_model_says(database: Database) -> None:
    with Database.open(database.url, keep=True) as kept:
        machine = type("OnThisDatabase", (Conversations,), {"database": kept})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=7,
                stateful_step_count=12,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
