"""Checks of the smoke test on one conversation: created, extended, counted, read back."""

import secrets
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.another_program import execute_as_another_program
from chatdb.db.schema import conversation_summaries, conversations, messages
from chatdb.db.types import parse_time, time_text
from chatdb.operations.conversations.public import NewMessage, read_conversation
from chatdb.operations.conversations.public import changes as conversation_changes
from chatdb.operations.conversations.public import messages as message_operations
from chatdb.operations.smoke_test.check import (
    CheckFailedError,
    CheckSkippedError,
    SmokeCheck,
    SmokePlace,
    expect,
    expect_equal,
)
from chatdb.operations.smoke_test.schema import ORGANIZATIONS
from chatdb.primitives import canonical
from chatdb.records import Message, new_id, organization_id_of

USER = "smoke-test-user"
CREATED = "conversation-created"
ADDED = "message-added"
READ_BACK = "read-back"

_TITLE = "Smoke test"
_JSON: dict[str, Any] = {
    "": None,
    "nested": {"list": [1, -1, 2**53, 0.1, 1e-7, 1e21, True, False, None, [], {}]},
    "z first": "keys are sorted",
    "a last": '\u2028 \\u0000 \\ " / \u00e9',
    "ключ": {"深い": [{"a": [[["b"]]]}]},
}
_ELSEWHERE = timezone(timedelta(hours=5, minutes=45))
_TIME = datetime(2024, 2, 29, 3, 30, 0, 123_457, tzinfo=_ELSEWHERE)
_LONG_AGO = timedelta(days=1)
_INSERT = """
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata,
                      created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


def odd_characters() -> str:
    """Return text that is hard for databases: letters up to Greek, all invisible characters,
    directions, joiners or line ends, and a part of each Unicode block; NUL and a lone surrogate
    too."""
    basic = (*range(0x400), *range(0x2000, 0x2100), *range(0xFE00, 0x10000))
    spread = (number for number in range(0x400, 0x110000, 0xF1) if not 0xD800 <= number < 0xE000)
    ends = (plane * 0x10000 + offset for plane in range(1, 17) for offset in (0, 0xFFFE, 0xFFFF))
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e8\U0001f1ed"
    syntax = "%s $1 :name ?1 {0} \\x00 '' \"\" `` -- /* ; \\ \r\n\r\n\t "
    return "".join(map(chr, (*basic, *spread, *ends))) + f"{family} a\u0301 {syntax}\ud800 end"


def _created(place: SmokePlace) -> str:
    new = conversation_changes.NewConversation(title=_TITLE, user_id=USER)
    made = conversation_changes.create(place.database, new, organization_key=place.traces.own)
    place.conversation_id = made.id
    place.updated_at = made.updated_at
    return f"created the conversation {made.id}"


def _added(place: SmokePlace) -> str:
    place.word = f"smoketest{secrets.token_hex(8)}"
    new = [
        NewMessage(role="user", content=f"Does {place.word} come back?"),
        NewMessage(
            role="assistant",
            content="It does.",
            model="none",
            tool_calls=[_JSON],
            metadata=_JSON,
            created_at=_TIME,
        ),
    ]
    _add(place, new)
    return f"added {len(new)} messages"


def _add(place: SmokePlace, new: list[NewMessage]) -> None:
    """Add messages and remember how they should be read back."""
    added = message_operations.add(
        place.database, str(place.conversation), new, organization_key=place.traces.own
    )
    parent = place.sent[-1].id if place.sent else None
    for identifier, each in zip(added.message_ids, new, strict=True):
        content = canonical.clean_text(each.content)[0]
        place.sent.append(
            Message(
                id=identifier,
                parent_id=parent,
                role=each.role,
                content=content,
                model=each.model,
                tool_calls=each.tool_calls,
                metadata=each.metadata,
                created_at=(each.created_at or place.now).astimezone(UTC),
            )
        )
        parent = identifier


def _summary(place: SmokePlace) -> Any:
    view = conversation_summaries.c
    own = organization_id_of(place.traces.own)
    with place.database.transaction() as connection:
        return connection.execute(
            sa.select(view.message_count, view.updated_at).where(
                view.organization_id == own, view.id == place.conversation
            )
        ).one()


def _counted(place: SmokePlace) -> str:
    found = _summary(place).message_count
    expect_equal(found, len(place.sent), "the summary's count")
    return f"the summary counts {found} messages"


def _moved(place: SmokePlace) -> str:
    return _moved_since(place, "adding a message")


def _moved_since(place: SmokePlace, what: str) -> str:
    """Require that `updated_at` is later than at the last look."""
    before, after = place.updated_at, _summary(place).updated_at
    expect(before is not None and after > before, f"updated_at stays at {after} after {what}")
    place.updated_at = after
    return f"updated_at moved to {after:%H:%M:%S.%f}Z"


def _inserted_directly(place: SmokePlace) -> str:
    _insert_directly(place)
    return f"a message that another program inserted is found; {_counted(place)}"


def _insert_directly(place: SmokePlace) -> None:
    identifier, now = new_id(), datetime.now(UTC)
    values = (
        *(str(organization_id_of(place.traces.own)), str(place.conversation), str(identifier)),
        *(len(place.sent), "user", "Another program wrote this.", "{}", time_text(now)),
    )
    database = place.database
    execute_as_another_program(database.url, _INSERT, values, schema=database.schema)
    place.sent.append(
        Message(id=identifier, role="user", content="Another program wrote this.", created_at=now)
    )


def _moved_directly(place: SmokePlace) -> str:
    with place.database.transaction() as connection:
        left_out = place.database.dialect.migration_ways().left_out(connection)
    if left_out:
        raise CheckSkippedError(
            "this server has no triggers (Citus): other programs set it themselves"
        )
    if _summary(place).updated_at == place.updated_at:
        # The server's clock may be behind ours, which set the earlier time.
        _set_back(place)
        _insert_directly(place)
    return _moved_since(place, "another program's insert")


def _set_back(place: SmokePlace) -> None:
    table, before = conversations.c, place.now - _LONG_AGO
    own = organization_id_of(place.traces.own)
    with place.database.transaction(write=True) as connection:
        connection.execute(
            sa.update(conversations)
            .where(table.organization_id == own, table.id == place.conversation)
            .values(updated_at=before)
        )
    place.updated_at = before


def _in_utc(place: SmokePlace) -> str:
    columns = messages.c
    with place.database.transaction(settings={"timezone": "UTC"}) as connection:
        time, text = connection.execute(
            sa.select(columns.created_at, sa.cast(columns.created_at, sa.Text)).where(
                columns.organization_id == organization_id_of(place.traces.own),
                columns.conversation_id == place.conversation,
                columns.id == _answer(place).id,
            )
        ).one()
    expect_equal(time, _TIME, "the time that was written at +05:45")
    expect_equal(time.utcoffset(), timedelta(0), "the offset of what is read")
    expect_equal(parse_time(text), _TIME, f"what is stored ({text})")
    return f"{_TIME.isoformat()} is stored and read as {text}"


def _answer(place: SmokePlace) -> Message:
    """Return the message that has an unusual time, and JSON."""
    return next(message for message in place.sent if message.tool_calls)


def _odd_characters(place: SmokePlace) -> str:
    text = odd_characters()
    _add(place, [NewMessage(content=text)])
    found = _contents(place)[place.sent[-1].id].content
    expected = place.sent[-1].content
    if found != expected:
        pairs = zip(expected, found, strict=False)
        wrong = [f"U+{ord(one):04X}" for one, other in pairs if one != other]
        lengths = f"{len(found):,} of {len(expected):,}"
        raise CheckFailedError(f"read back differently: {', '.join(wrong[:5])} ({lengths})")
    return f"{len(expected):,} characters read back; those that no database can store became U+FFFD"


def _json(place: SmokePlace) -> str:
    sent = _answer(place)
    found = _contents(place)[sent.id]
    for name in ("metadata", "tool_calls"):
        value, expected = getattr(found, name), getattr(sent, name)
        same = canonical.encode(value) == canonical.encode(expected)
        expect(same, f"{name}: expected {expected!r}, found {value!r}")
    return "nested values, numbers and keys were read back unchanged"


def _contents(place: SmokePlace) -> dict[UUID, Message]:
    record = read_conversation(
        place.database, str(place.conversation), organization_key=place.traces.own
    )
    return {message.id: message for message in record.messages}


def _read_back(place: SmokePlace) -> str:
    record = read_conversation(
        place.database, str(place.conversation), organization_key=place.traces.own
    )
    expect_equal(record.title, _TITLE, "the title")
    expect_equal(record.user_id, USER, "the user")
    expect_equal([each.id for each in record.messages], [each.id for each in place.sent], "ids")
    for found, sent in zip(record.messages, place.sent, strict=True):
        for name in ("role", "content", "model"):
            expect_equal(getattr(found, name), getattr(sent, name), f"{name} of {sent.id}")
    return f"{len(record.messages)} messages were read back, in order"


CONVERSATION_CHECKS: tuple[SmokeCheck, ...] = (
    SmokeCheck(name=CREATED, run=_created, needs=(ORGANIZATIONS,)),
    SmokeCheck(name=ADDED, run=_added, needs=(CREATED,)),
    SmokeCheck(name="summary-counts", run=_counted, needs=(ADDED,)),
    SmokeCheck(name="updated-at-moves", run=_moved, needs=(ADDED,)),
    SmokeCheck(name="direct-insert-counts", run=_inserted_directly, needs=(ADDED,)),
    SmokeCheck(
        name="direct-insert-moves-updated-at", run=_moved_directly, needs=("direct-insert-counts",)
    ),
    SmokeCheck(name="times-in-utc", run=_in_utc, needs=(ADDED,)),
    SmokeCheck(name="odd-characters", run=_odd_characters, needs=(ADDED,)),
    SmokeCheck(name="json", run=_json, needs=(ADDED,)),
    SmokeCheck(name=READ_BACK, run=_read_back, needs=(ADDED,)),
)
"""In this order."""
