"""Checks of the smoke test on search, export, import, and deletion."""

import sqlalchemy as sa

from chatdb.db.schema import (
    conversations,
    message_embeddings,
    message_files,
    messages,
    snapshots,
)
from chatdb.formats.native import conversation_line
from chatdb.operations.exporting.public import read_conversations
from chatdb.operations.importing.public import ImportRun
from chatdb.operations.searching.public import SearchOptions, search
from chatdb.operations.smoke_test.check import (
    CheckFailedError,
    SmokeCheck,
    SmokePlace,
    expect,
    expect_equal,
)
from chatdb.operations.smoke_test.conversation import ADDED, CREATED
from chatdb.records import Conversation, Snapshot, new_id, organization_id_of
from chatdb.store.batches import Arrival
from chatdb.store.selecting import ConversationFilter

_FOUND = "search-finds-it"


def _found(place: SmokePlace) -> str:
    page = search(
        place.database,
        place.word,
        organization_key=place.traces.own,
        options=SearchOptions(),
    )
    found = [hit.message_id for hit in page.hits]
    expect_equal(found, [place.sent[0].id], f"messages with the word {place.word}")
    return "; ".join(["the word is found in its message", *page.notes])


def _same_again(place: SmokePlace) -> str:
    """Export, import into the other organization, and export that."""
    _save_what_belongs(place)
    before = _exported(place, place.traces.own)
    with ImportRun(place.database, place.traces.other, subject=place.traces.other) as run:
        run.load([Arrival(record) for record in before])
    expect_equal((run.counts.new, run.counts.skipped), (len(before), 0), "imported, skipped")
    lines = [conversation_line(record) for record in before]
    again = [conversation_line(record) for record in _exported(place, place.traces.other)]
    if lines != again:
        raise CheckFailedError(f"the record read back differs: {_difference(lines, again)}")
    return f"the record of {sum(map(len, lines)):,} bytes is the same after export and import"


def _exported(place: SmokePlace, key: str) -> list[Conversation]:
    records = read_conversations(place.database, ConversationFilter(), organization_key=key)
    return list(records)


def _difference(before: list[bytes], after: list[bytes]) -> str:
    one, other = b"".join(before), b"".join(after)
    place = next(
        (index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
    around = slice(max(place - 20, 0), place + 20)
    return f"{one[around]!r} became {other[around]!r}"


def _save_what_belongs(place: SmokePlace) -> None:
    key = {
        "organization_id": organization_id_of(place.traces.own),
        "conversation_id": place.conversation,
    }
    snapshot = Snapshot(id=new_id(), state={"smoke": ["test"]}, created_at=place.now)
    with place.database.transaction(write=True) as connection:
        connection.execute(
            sa.insert(snapshots).values(
                **key, id=snapshot.id, state=snapshot.state, created_at=snapshot.created_at
            )
        )
        connection.execute(
            sa.insert(message_files).values(
                **key, message_id=place.sent[0].id, position=0, digest="0" * 64
            )
        )
        connection.execute(
            sa.insert(message_embeddings).values(
                **key, message_id=place.sent[0].id, model="smoke test", vector=[0.5, -1e-7]
            )
        )


def _cascades(place: SmokePlace) -> str:
    own = organization_id_of(place.traces.own)
    table = conversations.c
    with place.database.transaction(write=True) as connection:
        connection.execute(
            sa.delete(conversations).where(
                table.organization_id == own, table.id == place.conversation
            )
        )
    counts = [
        sa.select(sa.func.count())
        .where(part.c.organization_id == own, part.c.conversation_id == place.conversation)
        .scalar_subquery()
        for part in (messages, snapshots, message_files, message_embeddings)
    ]
    with place.database.transaction() as connection:
        left = connection.execute(sa.select(*counts)).one()
    expect_equal(tuple(left), (0, 0, 0, 0), "messages, snapshots, files and embeddings left")
    page = search(
        place.database, place.word, organization_key=place.traces.own, options=SearchOptions()
    )
    expect(not page.hits, "search still finds a deleted message")
    return "its messages, snapshots, files, embeddings and words were deleted with the conversation"


ROUND_TRIP_CHECKS: tuple[SmokeCheck, ...] = (
    SmokeCheck(name=_FOUND, run=_found, needs=(ADDED,)),
    SmokeCheck(name="export-and-import", run=_same_again, needs=(ADDED,)),
    SmokeCheck(name="delete-cascades", run=_cascades, needs=(CREATED,)),
)
"""In this order."""
