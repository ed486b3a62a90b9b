"""Nothing in chat text acts on the terminal."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.cli.text import escaped_json, one_line, safe

HOSTILE = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x9b31mred", "red"),
    ("a\x1b]52;c;Y3VybCBldmls\x07b", "ab"),
    ("a\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\b", "aclickb"),
    ("a\x9d0;title\x9cb", "ab"),
    ("a\x1bP+q544e\x1b\\b", "ab"),
    ("a\x1b_Gf=100;AAAA\x1b\\b", "ab"),
    ("a\x1b(0b\x1bcb", "abb"),
    ("unfinished \x1b]52;c;AAAA", "unfinished "),
    ("unfinished \x1b[", "unfinished "),
    ("over\rwritten", "over\nwritten"),
    ("back\x08space\x7f", "backspace"),
    ("bell\x07", "bell"),
    ("evil\u202etxt.exe", "eviltxt.exe"),
    ("\u2066isolated\u2069", "isolated"),
    ("zero\u200bwidth\ufeff", "zerowidth"),
    ("tag\U000e0041\U000e007f", "tag"),
    ("lone\ud800", "lone"),
    ("nul\x00", "nul"),
]
KEPT = [
    "plain text\nwith\ttabs",
    "größer, 漢字, עברית, العربية",
    "👩\u200d👧 \u2764\ufe0f",
    "नम\u200cस्ते",
    "[red]markup[/red] [id]",
]


@pytest.mark.parametrize(("text", "expected"), HOSTILE, ids=lambda text: ascii(text)[:30])
def test_what_acts_on_a_terminal_is_removed(text: str, expected: str) -> None:
    assert safe(text) == expected


@pytest.mark.parametrize("text", KEPT, ids=ascii)
def test_honest_text_is_left_as_it_is(text: str) -> None:
    assert safe(text) == text


@given(st.text(alphabet=st.characters(codec=None), max_size=80))
def test_no_text_leaves_a_control_character_behind(text: str) -> None:
    result = safe(text)

    assert not [c for c in result if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not [c for c in result if c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
    assert safe(result) == result


@given(st.text(alphabet="\x1b\x9b\x9d[]P8;52mc\x07\\ab\n", max_size=40))
def test_pieces_of_sequences_never_join_to_a_new_one(text: str) -> None:
    assert "\x1b" not in safe(text)
    assert "\x9b" not in safe(text)


@given(st.text(max_size=80), st.integers(min_value=1, max_value=30))
def test_one_line_is_one_line_of_at_most_its_limit(text: str, limit: int) -> None:
    line = one_line(text, limit=limit)

    assert len(line) <= limit
    assert not set(line) & set("\n\t\r\v\f")


def test_a_cut_line_ends_with_an_ellipsis() -> None:
    assert one_line("one\n two   three", limit=8) == "one two…"
    assert one_line("one\n two", limit=8) == "one two"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_escaped_json_means_the_same(text: str) -> None:
    encoded = json.dumps([text], ensure_ascii=False)

    escaped = escaped_json(encoded)

    assert json.loads(escaped) == [text]
    assert not [c for c in escaped if unicodedata.category(c) == "Cc" or c == "\u202e"]
