"""The query language: what each text means."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.db.contract.search import Term
from chatdb.errors import UsageError
from chatdb.operations.searching.query import LONGEST_QUERY, MOST_TERMS, parse


def word(text: str) -> Term:
    return Term(words=(text.lower(),))


def test_words_must_all_be_there() -> None:
    assert parse("red  car").all_of == ((word("red"),), (word("car"),))


def test_a_quoted_text_is_a_phrase() -> None:
    assert parse('"red car"').all_of == ((Term(words=("red", "car")),),)
    assert parse("“red car”").all_of == ((Term(words=("red", "car")),),)


def test_inner_punctuation_makes_a_phrase() -> None:
    assert parse("multi-agent").all_of == ((Term(words=("multi", "agent")),),)
    assert parse("20.04").all_of == ((Term(words=("20", "04")),),)
    assert parse("foo@bar.com").all_of == ((Term(words=("foo", "bar", "com")),),)


@pytest.mark.parametrize("text", ["-bus", '-"red bus"', "-role:tool", "-user:ann"])
def test_a_minus_excludes(text: str) -> None:
    query = parse(f"car {text}")

    assert query.all_of == ((word("car"),),)
    assert query.none_of or query.not_roles or query.not_users


def test_a_star_stands_for_any_ending() -> None:
    assert parse("auto*").all_of == ((Term(words=("auto",), prefix=True),),)
    assert parse('"red ca"*').all_of == ((Term(words=("red", "ca"), prefix=True),),)


def test_or_joins_its_neighbours_and_only_capitals_do() -> None:
    assert parse("red OR blue car").all_of == ((word("red"), word("blue")), (word("car"),))
    assert parse("red or blue").all_of == ((word("red"),), (word("or"),), (word("blue"),))
    assert parse("OR red").all_of == ((word("OR"),), (word("red"),))
    assert parse("red OR").all_of == ((word("red"),), (word("OR"),))


def test_filters_are_read() -> None:
    query = parse('role:user user:"Jane Doe" after:2025-01 before:2025-02-03T04:05+02:00')

    assert query.roles == {"user"}
    assert query.users == {"Jane Doe"}
    assert query.after == datetime(2025, 1, 1, tzinfo=UTC)
    assert query.before == datetime(2025, 2, 3, 2, 5, tzinfo=UTC)
    assert query.all_of == ()


def test_in_title_looks_at_titles() -> None:
    assert parse("in:title car").in_title
    assert not parse("in:place car").in_title


@pytest.mark.parametrize(
    "text",
    ["foo:bar", "http://x.org/a?b=c", "role:", 'role:"" x', "--verbose", "- x", 'say "hi', "C:\\d"],
)
def test_what_is_no_operator_is_text(text: str) -> None:
    query = parse(text)

    assert query.all_of
    assert not query.none_of
    assert not query.roles


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("学习", ("学习",)),
        ("ｽｷ", ("スキ",)),
        ("สวัสดี*", ("สวัสดี",)),
        ("GPT模型", ("gpt", "模型")),
        ("🎉", ("🎉",)),
        ("→", ("→",)),
        ("ÜBER-Straße", ("uber", "strasse")),
    ],
)
def test_a_query_has_the_normal_form_of_texts(text: str, words: tuple[str, ...]) -> None:
    assert parse(text).all_of == ((Term(words=words),),)


@pytest.mark.parametrize("text", ["", "   ", "-", "--", '"', '""', "... !?", "*", "''"])
def test_nothing_to_look_for_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="no word to search for"):
        parse(text)


@pytest.mark.parametrize("text", ["-bus", "-role:tool", '-"red bus" -x'])
def test_only_exclusions_are_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="only excludes words"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "role:boss x",
        "after:soon x",
        "before:2025-13 x",
        "-after:2025 x",
        "in:title role:user x",
        "in:title after:2025",
        "red OR -blue",
        "x" * (LONGEST_QUERY + 1),
        " ".join(f"w{number}" for number in range(MOST_TERMS + 1)),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_the_hint_for_a_time_is_written_as_a_query_takes_it() -> None:
    with pytest.raises(UsageError) as caught:
        parse("since:soon")

    (quoted,) = re.findall(r"['\"].*?['\"]", str(caught.value.hint))
    query = parse(f"since:{quoted} word")
    assert (query.after is not None, query.all_of) == (True, ((word("word"),),))


@given(st.text(max_size=80))
def test_any_text_is_a_query_or_a_usage_error(text: str) -> None:
    try:
        query = parse(text)
    except UsageError:
        return
    assert query.all_of or query.has_filter
