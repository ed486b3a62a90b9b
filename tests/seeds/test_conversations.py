"""What seeded chats are: the same everywhere, sound records, and like real ones."""

import io
import statistics
import unicodedata
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdb.formats import native
from chatdb.formats.base import Tally
from chatdb.formats.files.sources import open_source
from chatdb.primitives import canonical
from chatdb.records import Conversation, is_hidden
from chatdb.seeds import phrases
from chatdb.seeds.demo import DEMO
from chatdb.seeds.people import ORGANIZATIONS, organization_of
from chatdb.seeds.plan import VERSION, SeedOptions, Size
from tests.seeds.making import digest, has_branches, made

SMALL = "8f915ede955e1b43a9faf0fa54a43689073a46350c2a2cfea8bbd6590245c007"
"""Of the size small as chatdb makes it: where this changes, `plan.VERSION` has to rise."""

SCRIPTS = [*("LATIN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL"), *("ARABIC", "HEBREW", "CYRILLIC")]
SCRIPTS += ["DEVANAGARI", "THAI"]
LANGUAGES = sorted(path.stem for path in Path(phrases.__file__).parent.glob("languages/*.json"))


@pytest.fixture(scope="module")
def small() -> list[Conversation]:
    return made(SeedOptions())


@pytest.fixture(scope="module")
def medium() -> list[Conversation]:
    return made(SeedOptions(size=Size.MEDIUM))


def test_the_small_size_is_these_bytes_everywhere_and_always(small: list[Conversation]) -> None:
    assert (VERSION, digest(small)) == (1, SMALL)


def test_a_conversation_is_the_same_alone_and_among_others(small: list[Conversation]) -> None:
    alone = made(SeedOptions(conversations=1))
    many = made(SeedOptions(conversations=200))

    assert alone[0] == small[0]
    assert {each.id: each for each in many}.items() >= {each.id: each for each in small}.items()


# --- Sound records ---------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    st.integers(),
    st.integers(1, 12),
    st.integers(0, 150),
    st.dates(date(1971, 1, 1), date(2999, 12, 31)),
)
def test_any_seed_makes_sound_records_that_come_back_from_a_file(
    seed: int, conversations: int, more: int, until: date
) -> None:
    records = made(
        SeedOptions(
            seed=seed, conversations=conversations, messages=conversations + more, until=until
        )
    )

    assert sum(len(each.messages) for each in records) == conversations + more
    assert len({each.id for each in records}) == conversations
    for record in records:
        check_sound(record, until)
    assert read_back(records) == records


def check_sound(record: Conversation, until: date) -> None:
    """Hold that ids are unique, parents come first, times go forward, and text can be kept."""
    ends = datetime(until.year, until.month, until.day, tzinfo=UTC)
    seen = set()
    for message in record.messages:
        assert message.parent_id is None or message.parent_id in seen
        seen.add(message.id)
        assert canonical.is_clean_text(message.content)
    assert record.current_message_id in seen
    assert len(seen) == len(record.messages)
    times = [record.created_at, *(each.created_at for each in record.messages)]
    assert times == sorted(times)
    assert record.updated_at == times[-1]
    assert ends - timedelta(days=366) < times[0] <= times[-1] <= ends
    for time in (record.last_accessed_at, record.archived_at, record.starred_at):
        assert time is None or record.updated_at <= time <= ends
    assert all(record.updated_at < each.created_at <= ends for each in record.snapshots)
    assert len({each.id for each in record.snapshots} | seen) == len(seen) + len(record.snapshots)


def read_back(records: list[Conversation]) -> list[object]:
    """Return what the native reader makes of the native lines."""
    data = native.header_line(created=datetime(2026, 1, 1, tzinfo=UTC))
    data += b"".join(map(native.conversation_line, records))
    with open_source("-", stdin=io.BytesIO(data)) as source:
        return list(native.reader.read(source, Tally()))


# --- Like real chats -------------------------------------------------------------------------


def messages_of(records: list[Conversation], role: str | None = None) -> list[str]:
    """Return the texts of the messages of a role."""
    return [
        each.content
        for record in records
        for each in record.messages
        if role is None or each.role == role
    ]


@pytest.mark.parametrize("seed", range(8))
def test_small_has_something_of_everything_whatever_the_seed(seed: int) -> None:
    small = made(SeedOptions(seed=seed))
    everything = [each for record in small for each in record.messages]

    assert any(map(has_branches, small))
    assert sum(bool(each.snapshots) for each in small) >= 3
    assert sum(each.archived_at is not None for each in small) >= 4
    assert sum(each.starred_at is not None for each in small) >= 3
    assert {each.role for each in everything} == {"user", "assistant", "system", "tool"}
    assert any(each.tool_calls for each in everything)
    assert any(each.tool_outputs for each in everything)
    assert any(each.reasoning for each in everything)
    assert any(each.attachments for each in everything)
    assert any(is_hidden(each) for each in everything)
    assert max(map(len, messages_of(small))) > 100_000
    assert {each.metadata["language"] for each in small} == set(LANGUAGES)
    questions = "".join(messages_of(small, "user"))
    assert "\u200d" in questions
    assert "🏿" in questions
    assert any("```" in each for each in messages_of(small, "assistant"))


def test_every_tool_call_has_its_result(medium: list[Conversation]) -> None:
    calls = results = 0
    for record in medium:
        by_id = {each.id: each for each in record.messages}
        for message in record.messages:
            calls += message.tool_calls is not None
            if message.role == "tool":
                results += 1
                asked = by_id[message.parent_id]  # type: ignore[index]
                assert asked.tool_calls[0]["id"] == message.tool_outputs[0]["tool_use_id"]
                assert asked.tool_calls[0]["name"] == message.author

    assert calls == results > 200


def test_many_scripts_are_written(medium: list[Conversation]) -> None:
    scripts = Counter(
        unicodedata.name(character, "?").split()[0]
        for text in messages_of(medium, "user")
        for character in text[:200]
        if character.isalpha()
    )

    for script in SCRIPTS:
        assert scripts[script] > 250, script


def test_answers_are_markdown_with_code(medium: list[Conversation]) -> None:
    answers = messages_of(medium, "assistant")

    for mark in ("```python", "```sql", "\n## ", "\n- ", "\n1. ", "|---|", "**", "$$"):
        assert sum(mark in each for each in answers) > 20, mark
    assert all(each.count("```") % 2 == 0 for each in messages_of(medium))


def test_lengths_are_lognormal(medium: list[Conversation]) -> None:
    answers = sorted(len(each) for each in messages_of(medium, "assistant") if each)
    median = statistics.median(answers)

    assert 400 < median < 900
    assert statistics.mean(answers) > 1.15 * median
    assert answers[-len(answers) // 100] > 4 * median


def test_the_very_long_is_rare(medium: list[Conversation]) -> None:
    lengths = [len(each) for each in messages_of(medium)]

    assert sum(each > 100_000 for each in lengths) == 5
    assert max(len(each.messages) for each in medium) > 400


def test_about_a_fifth_has_branches_and_the_active_one_is_a_leaf(
    medium: list[Conversation],
) -> None:
    assert 0.1 < statistics.mean(map(has_branches, medium)) < 0.3
    for record in medium:
        parents = {each.parent_id for each in record.messages}
        assert record.current_message_id not in parents


def test_people_sleep_at_night_and_rest_at_weekends(medium: list[Conversation]) -> None:
    local = [
        each.created_at + timedelta(minutes=record.metadata["utc_offset"])
        for record in medium
        for each in record.messages
        if each.role == "user"
    ]
    hours = Counter(time.hour for time in local)
    days = Counter(time.weekday() for time in local)

    assert sum(hours[hour] for hour in range(1, 6)) < 0.02 * len(local)
    assert sum(hours[hour] for hour in range(9, 18)) > 0.5 * len(local)
    assert (days[5] + days[6]) / 2 < 0.85 * sum(days[day] for day in range(5)) / 5


def test_the_year_grows(medium: list[Conversation]) -> None:
    first, last = (
        sum(start <= each.created_at < start + timedelta(days=91) for each in medium)
        for start in (datetime(2025, 11, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC))
    )

    assert last > 1.3 * first > 100


def test_everybody_is_somewhere(medium: list[Conversation]) -> None:
    users = Counter(each.user_id for each in medium)
    places = Counter(organization_of(place) for place in range(2_000))

    assert len(users) > 100
    assert 0 < users[None] < 0.06 * len(medium)
    assert places.keys() == ORGANIZATIONS.keys()
    assert places.most_common(1)[0][0] == DEMO
    assert {each.rpartition("@")[2] for each in users if each} == {
        f"{key}.example" for key in ORGANIZATIONS
    }


def test_titles_look_like_titles(medium: list[Conversation]) -> None:
    titles = [each.title for each in medium]
    named = [each for each in titles if each]

    assert 0.01 < titles.count(None) / len(titles) < 0.08
    assert all("\n" not in each and each == each.strip() and len(each) < 90 for each in named)
    assert sum(each.endswith("…") for each in named) > 20
    assert len(set(named)) > 0.5 * len(named)


def test_no_slot_of_a_template_is_left(medium: list[Conversation]) -> None:
    for text in (*messages_of(medium), *(each.title or "" for each in medium)):
        for slot in ("{thing}", "{other}", "{topic}", "{number}", "{Topic}", "{Thing}", "NUMBER"):
            assert slot not in text


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_has_enough_to_say(code: str, medium: list[Conversation]) -> None:
    words = phrases.language(code)

    assert any(each.metadata["language"] == code for each in medium)
    assert len(words.people) >= 2
    assert len(words.topics) >= 3
    assert all(len(set(topic.things)) >= 6 for topic in words.topics)
    assert len(words.statements) >= 10
    assert words.offsets
