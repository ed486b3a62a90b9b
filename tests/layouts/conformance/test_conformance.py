"""Every reader of another system's database, held to the same promises; it is the only argument."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.formats.native import conversation_line, header_line
from chatdb.layouts.capabilities import Capability
from chatdb.layouts.recognising import systems
from chatdb.operations.exporting.exports import read_conversations
from chatdb.records import Conversation, Message
from chatdb.store.selecting import ConversationFilter
from tests.layouts.conformance.subjects import SUBJECTS, Subject
from tests.layouts.conformance.watching import fingerprint, nothing_executed
from tests.layouts.conftest import Imported, ImportFrom
from tests.layouts.foreign_databases import make_postgresql, make_sqlite
from tests.postgres_server import PostgresServer
from tests.store.filled import NOON

Run = Callable[..., Any]
Case = tuple[Subject, Any]
Place = DatabaseUrl | Path

LOSSES = {
    Capability.BRANCHES: "messages on other branches left out",
    Capability.TOOLS: "tool_calls of messages left out",
    Capability.REASONING: "reasoning of messages left out",
    Capability.TENANTS: "user_id of conversations left out",
}
"""What the way back says of that which a system has no place for."""
KEPT = {Capability.TOOLS: "tool_calls", Capability.REASONING: "reasoning"}
"""Fields that some systems keep in their metadata instead."""
DOCS = Path(__file__).parents[3] / "docs" / "layouts.md"


def read(done: Imported, subject: Subject) -> list[Conversation]:
    """Return every conversation of the organizations that the subject has."""
    return [record for key in subject.counts for record in done.records(key)]


def conversations(url: DatabaseUrl, organization: str = "default") -> list[Conversation]:
    """Return what is in a database of ours."""
    with Database.open(url) as database:
        wanted = ConversationFilter()
        return list(read_conversations(database, wanted, organization_key=organization))


def records(found: list[Conversation]) -> list[Conversation]:
    """Return records without the digests of the bytes that they came from."""
    for each in found:
        each.source_hash = (each.source_hash or "").partition(":")[0]
    return found


def shown(records: list[Conversation]) -> set[Capability]:
    """Return what can be seen in records of what readers may carry."""
    messages = [message for record in records for message in record.messages]
    forks = Counter((record.id, each.parent_id) for record in records for each in record.messages)
    found = {
        Capability.BRANCHES: any(count > 1 for count in forks.values()),
        Capability.TOOLS: any(each.tool_calls or each.tool_outputs for each in messages),
        Capability.REASONING: any(each.reasoning for each in messages),
        Capability.TENANTS: any(each.user_id for each in records),
    }
    return {capability for capability, is_there in found.items() if is_there}


def test_every_system_is_a_subject_and_its_declaration_stands_in_the_documentation() -> None:
    assert sorted(each.name for each in SUBJECTS) == sorted(each.name for each in systems())

    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    rows = {cells[1].strip("`"): cells[2:-1] for line in lines if (cells := _cells(line))}
    for system in systems():
        told = ["yes" if each in system.can else "no" for each in Capability]
        assert rows[system.name] == told, f"docs/layouts.md on {system.name}: {told}"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def test_reading_gives_the_counts_twice_runs_nothing_and_leaves_the_source_as_it_was(
    subject: Case, place: Place, import_from: ImportFrom, run: Run
) -> None:
    tried, engine = subject
    url = tried.make(engine, place)
    before = fingerprint(url)

    with nothing_executed():
        explained = run("import", url.exposed(), "--explain")
        done = import_from(url)
        again = import_from(url)

    assert explained.exit_code == done.exit_code == (7 if tried.skipped else 0), done.stderr
    assert done.report["files"][0]["format"] == tried.name
    assert len(done.skipped) == tried.skipped
    for key, (count, messages) in tried.counts.items():
        records = again.records(key)
        assert len(records) == count
        assert sum(len(each.messages) for each in records) == messages
    total = sum(count for count, _ in tried.counts.values())
    assert again.report["counts"]["unchanged"] == total
    assert (again.report["counts"]["new"], again.report["counts"]["updated"]) == (0, 0)
    for rows in done.rows.values():
        assert rows["read"] == rows["imported"] + rows["merged"] + rows["skipped"]
    assert fingerprint(url) == before


def test_what_a_reader_declares_is_there_and_nothing_else(
    subject: Case, place: Place, import_from: ImportFrom
) -> None:
    tried, engine = subject

    done = import_from(tried.make(engine, place))

    seen = shown(read(done, tried))
    if set(tried.counts) != {"default"}:
        seen.add(Capability.TENANTS)
    assert seen == {each for each in LOSSES if each in tried.system.can}
    told = any("removed there" in each for each in done.report["files"][0]["lossy"])
    assert told == (Capability.DELETIONS in tried.system.can)


def test_a_later_import_brings_what_is_new_and_only_that(
    subject: Case, place: Place, import_from: ImportFrom
) -> None:
    tried, engine = subject
    assert Capability.INCREMENTAL in tried.system.can
    url = tried.make(engine, place)
    import_from(url)
    made = make_sqlite if isinstance(place, Path) else make_postgresql
    made(place, *tried.later(engine))  # type: ignore[arg-type]

    later = import_from(url)

    counts = later.report["counts"]
    assert (counts["new"] + counts["updated"], counts["messages_new"]) == (1, 1)
    texts = [message.content for record in read(later, tried) for message in record.messages]
    assert "late" in texts


def test_rows_that_cannot_be_read_are_named_and_end_nothing(
    subject: Case, place: Place, import_from: ImportFrom
) -> None:
    tried, engine = subject

    with nothing_executed():
        done = import_from(tried.make(engine, place, *tried.odd(engine)))

    assert done.exit_code == 7
    assert tried.named <= {each["source_id"] for each in done.skipped}
    assert all(each["reason"] for each in done.skipped)
    assert len(read(done, tried)) == sum(count for count, _ in tried.counts.values())


@pytest.fixture
def back(subject: Case, tmp_path: Path, postgres: PostgresServer) -> Iterator[tuple[Place, str]]:
    """Where the way back goes to, and how that is typed."""
    tried, engine = subject
    if not tried.system.writes:
        yield tmp_path / "back.json", str(tmp_path / "back.json")
    elif engine == "sqlite":
        yield tmp_path / "back.db", f"sqlite:///{tmp_path / 'back.db'}"
    else:
        with postgres.new_database() as url:
            yield make_postgresql(url, *tried.back), url.exposed()


def test_the_way_out_and_in_again_gives_the_same(
    subject: Case,
    place: Place,
    back: tuple[Place, str],
    import_from: ImportFrom,
    run: Run,
    sqlite_url: DatabaseUrl,
    tmp_path: Path,
) -> None:
    tried, engine = subject
    first = ("-d", sqlite_url.exposed())
    if Capability.WRITE_BACK not in tried.system.can:
        refused = run("export", "--to", tried.name, "--output", back[1], *first)
        assert (refused.exit_code, tried.name in refused.stderr) == (2, True)
        return
    before = import_from(tried.make(engine, place), "--source-name", "theirs")

    for key in tried.counts:
        words = ("--all-branches", "--include-hidden", "--org", key)
        out = run("export", "--to", tried.name, "--output", back[1], *words, *first)
        assert out.exit_code == 0, out.stderr
    second = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "second.db")
    run("import", back[1], "--source-name", "theirs", "-d", second.exposed())

    for key, (count, _) in tried.counts.items():
        if count:
            assert records(conversations(second, key)) == records(before.records(key))


def test_what_a_system_has_no_place_for_is_named_with_its_count(
    subject: Case, back: tuple[Place, str], run: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    tried, _ = subject
    if Capability.WRITE_BACK not in tried.system.can:
        return
    source = tmp_path / "full.jsonl"
    source.write_bytes(header_line(created=NOON) + conversation_line(_everything()))
    run("import", source, "-d", sqlite_url.exposed())

    out = run("export", "--to", tried.name, "--output", back[1], "-d", sqlite_url.exposed())

    assert out.exit_code == 0, out.stderr
    second = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "second.db")
    run("import", back[1], "-d", second.exposed())
    kept = {name for record in conversations(second) for each in record.messages
            for name in each.metadata}  # fmt: skip
    for capability, loss in LOSSES.items():
        if capability not in tried.system.can and KEPT.get(capability) not in kept:
            assert f"{loss} (" in out.stderr, capability


def _everything() -> Conversation:
    """Return a conversation with all that a system may have no place for."""
    question, one, other, talk = (UUID(int=number) for number in range(1, 5))
    said: dict[str, Any] = {"role": "assistant", "parent_id": question, "created_at": NOON}
    return Conversation(
        id=talk,
        user_id="7",
        title="Everything",
        current_message_id=one,
        created_at=NOON,
        updated_at=NOON,
        messages=[
            Message(id=question, role="user", content="?", created_at=NOON),
            Message(
                id=one,
                content="one",
                reasoning=[{"content": "so"}],
                tool_calls=[{"name": "weigh", "arguments": {"kg": 7}}],
                **said,
            ),
            Message(id=other, content="other", **said),
        ],
    )
