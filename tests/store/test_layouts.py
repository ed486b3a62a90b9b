"""The way back into other systems: which field of a record has a place where, and comes back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.formats.native import conversation_line, header_line
from chatdb.layouts.recognising import systems
from chatdb.records import Conversation
from chatdb.store import columns
from tests.layouts import test_helvino
from tests.layouts.foreign_databases import make_postgresql
from tests.store.filled import NOON, full_conversation, values_of

Run = Callable[..., Any]

ALL = frozenset(known.name for known in systems() if known.writes)
WITH_MICROSECONDS = ALL - {"helvino"}
OWN = frozenset[str]()
"""What chatdb itself says of a record, or makes anew for what comes from elsewhere."""
NONE = frozenset[str]()

PLACES: dict[str, frozenset[str]] = {
    "id": ALL - {"chat-threads"},
    "organization": OWN,
    "organization_name": OWN,
    "user_id": frozenset({"chatmcp", "helvino"}),
    "title": ALL - {"helvino"},
    "current_message_id": OWN,
    "created_at": WITH_MICROSECONDS,
    "updated_at": WITH_MICROSECONDS,
    "last_accessed_at": frozenset({"relay"}),
    "archived_at": NONE,
    "starred_at": NONE,
    "pinned_at": NONE,
    "edited_at": OWN,
    "kind": NONE,
    "missing_since": NONE,
    "source": OWN,
    "source_name": OWN,
    "source_id": OWN,
    "source_hash": OWN,
    "metadata": NONE,
    "messages.id": OWN,
    "messages.parent_id": OWN,
    "messages.role": ALL,
    "messages.author": frozenset({"helvino"}),
    "messages.model": frozenset({"helvino"}),
    "messages.content": ALL,
    "messages.reasoning": frozenset({"chatmcp"}),
    "messages.tool_calls": frozenset({"chatmcp"}),
    "messages.tool_outputs": frozenset({"chatmcp"}),
    "messages.attachments": NONE,
    "messages.attached_text": NONE,
    "messages.source_id": OWN,
    "messages.edited_at": OWN,
    "messages.user_id": NONE,
    "messages.metadata": NONE,
    "messages.created_at": WITH_MICROSECONDS - {"chat-threads"},
    "snapshots.id": NONE,
    "snapshots.state": NONE,
    "snapshots.created_at": NONE,
    "files.message_id": NONE,
    "files.position": NONE,
    "files.digest": NONE,
    "files.name": NONE,
    "files.size": NONE,
    "files.media_type": NONE,
    "embeddings.message_id": NONE,
    "embeddings.model": NONE,
    "embeddings.vector": NONE,
}
"""The layouts in which a field of a record from elsewhere has a place; a new field needs a row."""


TIMES = tuple(
    name
    for name in columns.fields_of("conversations", columns.TIME)
    if name in columns.merged_by("followed", "latest")
)
"""Times that a conversation may have: they are never left out unsaid."""


def fields_of(record: Conversation) -> dict[str, Any]:
    """Return every field with its value, of records in lists those of the last, which is full."""
    found: dict[str, Any] = {}
    for name, value in values_of(record):
        start, *rest = name.split(".")
        found[".".join([start, *rest[1:]])] = value
    return found


def test_every_field_is_said_to_have_a_place_or_none() -> None:
    assert list(PLACES) == list(fields_of(full_conversation()))


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_field_that_has_a_place_comes_back_and_no_other_does(
    name: str, run: Run, sqlite_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    record = full_conversation()
    record.organization = record.organization_name = None
    path = tmp_path / "full.jsonl"
    path.write_bytes(header_line(created=NOON) + conversation_line(record))
    first, second = ("-d", sqlite_url.exposed()), ("-d", f"sqlite:///{tmp_path / 'second.db'}")
    there = empty_postgresql_url.exposed()
    if name == "helvino":  # whose tables chatdb does not make
        make_postgresql(empty_postgresql_url, *test_helvino.FIRST, *test_helvino.LATER)

    told = ""
    for words in (
        ("import", path, *first),
        ("export", "--to", name, "-o", there, "--all-branches", "--include-hidden", *first),
        ("import", there, "--source-name", "theirs", *second),
    ):
        done = run(*words)
        assert done.exit_code == 0, done.stderr
        told += done.stderr
    _, line = run("export", "--to", "jsonl", *second).stdout.encode().split(b"\n", 1)

    back = fields_of(msgspec.json.decode(line, type=Conversation))
    same = {field for field, value in fields_of(record).items() if back.get(field) == value}
    assert same - {"organization", "organization_name"} == {
        field for field, layouts in PLACES.items() if name in layouts
    }
    for what in ("files", "attached_text", "user_id"):
        assert f"{what} of messages left out" in told
    left_out = {field for field in TIMES if f"{field} of conversations left out (1)" in told}
    assert left_out == {field for field in TIMES if name not in PLACES[field]}
