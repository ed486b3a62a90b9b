"""Cursors give back what they hold, and nothing else is taken for one."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.errors import UsageError
from chatdb.store.paging import Kind, cursor_of, read_cursor, read_place

TIME = datetime(2025, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@given(time=st.datetimes(timezones=st.just(UTC)), ids=st.lists(st.uuids(), min_size=1, max_size=2))
def test_a_cursor_gives_back_time_and_ids(time: datetime, ids: list[UUID]) -> None:
    cursor = cursor_of("search", time, ids)

    assert read_cursor("search", cursor, ids=len(ids)) == (time, tuple(ids))
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert not cursor.startswith("-")


@given(text=st.text(max_size=80))
def test_any_other_text_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="not a cursor"):
        read_cursor("search", text, ids=2)


def test_a_cursor_belongs_to_its_list() -> None:
    cursor = cursor_of("search", TIME, [UUID(int=1)])

    others: tuple[tuple[Kind, int], ...] = (("titles", 1), ("conversations", 1), ("search", 2))
    for kind, ids in others:
        with pytest.raises(UsageError, match="not a cursor"):
            read_place(kind, cursor, ids=ids)
    for damaged in (cursor[:-1], cursor + "A", "A" * len(cursor), "_" * len(cursor)):
        with pytest.raises(UsageError, match="not a cursor"):
            read_cursor("search", damaged, ids=1)
