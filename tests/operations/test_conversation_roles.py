"""The commands on conversations and messages as the role of an application."""

from typing import Any

import pytest

from chatdb.operations.conversations import branches, changes, snapshots
from chatdb.operations.conversations.delete import delete_conversations
from chatdb.operations.conversations.delete_messages import delete_messages
from chatdb.operations.conversations.lists import SORTS, list_page, read_conversation
from chatdb.operations.conversations.messages import NewMessage, add, edit
from chatdb.operations.conversations.messages import list_page as list_messages
from chatdb.operations.conversations.metadata_words import condition
from chatdb.store.selecting import ConversationFilter
from tests.operations.app_roles import new_deployment
from tests.operations.tenants import ACME
from tests.postgres_server import TEMPLATE, PostgresServer

OWN: dict[str, Any] = {"organization_key": ACME, "user_id": "ann"}
KEEP_NOTHING: dict[str, Any] = {"organization_key": ACME, "keep_to": None}


@pytest.mark.postgresql
def test_an_application_may_do_all_of_it_for_its_user(postgres: PostgresServer) -> None:
    with new_deployment(postgres, TEMPLATE) as made, made.open(made.app, user="ann") as database:
        new = changes.NewConversation(
            user_id="ann", metadata={"k": "v"}, messages=[NewMessage(content="one")]
        )
        name = str(changes.create(database, new, organization_key=ACME).id)

        added = add(database, name, [NewMessage(content=word) for word in ("two", "three")], **OWN)
        edit(database, name, "last", {"content": "3"}, **OWN)
        changes.rename(database, name, "New", **OWN)
        changes.set_flag(database, [name], "starred", is_set=True, **OWN)
        changes.touch(database, [name], **OWN)
        snapshots.save(database, name, {"s": 1}, **OWN)
        fork = branches.fork(database, name, "last", **OWN)
        split = branches.split(database, name, str(added.message_ids[0]), **OWN)
        branches.merge(database, split.from_id, split.id, **KEEP_NOTHING)
        delete_messages(database, split.from_id, [added.message_ids[0]], **KEEP_NOTHING)
        delete_conversations(database, [fork.id], **KEEP_NOTHING)

        record = read_conversation(database, name, **OWN)
        assert [each.content for each in record.messages] == ["one", "3"]
        assert [each.state for each in record.snapshots] == [{"s": 1}]
        assert len(list_messages(database, name, **OWN).items) == 2
        wanted = ConversationFilter(metadata=(condition("k=v"),), flags={"starred": True})
        for sort in SORTS:
            page = list_page(database, organization_key=ACME, wanted=wanted, sort=sort)
            assert [item.id for item in page.items] == [record.id]
        everything = list_page(database, organization_key=ACME, limit=100).items
        assert {item.user_id for item in everything} == {"ann"}
