# ruff: noqa: RUF001
"""One normal form of words: Python, PostgreSQL's function and what FTS5 makes of it agree."""

import random
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence

import pytest

from chatdb.db.connect import driver_connection
from chatdb.db.database import Database
from chatdb.db.sqlite import search_forms
from chatdb.db.sqlite.search_forms import form_of
from chatdb.db.url import DatabaseUrl
from chatdb.primitives.normal_form import (
    LONGEST_WORD,
    SEARCHED_CHARACTERS,
    index_text,
    lexemes,
    normal_form,
    tokens,
)

FORMS = {
    "": " ",
    "Plain, ASCII-text 20.04!": " plain ascii text 20 04 ",
    "ÜBER Straße Łódź rødgrød Ærø": " uber strasse lodz rodgrod aero ",
    "cre\u0301meux": " cremeux ",
    "Donau\u00addampf\u00adschiff": " donaudampfschiff ",
    "super\u200bcali\u200bfragil \ufeffbom": " supercalifragil bom ",
    "mark\ue203ed \ue200cite\ue202turn\ue201": " mark ed cite turn ",
    "unassigned\u0378here": " unassigned here ",
    "ＡＢＣ１２３ ﾃｽﾄﾃﾞｰﾀ ﬃ": " abc123 テストデータ ffi ",
    "İstanbul ışık": " istanbul isik ",
    "ΟΔΥΣΣΕΥΣ Ελλάδα Ещё": " οδυσσευσ ελλαδα еще ",
    "كَتَبَ שָׁלוֹם": " كتب שלום ",
    "한글 한글": " 한글 한글 ",
    "使用Docker部署": " 使用 docker 部署 ",
    "done✅next 👩🏽‍💻 Acme™ x² ½": " done ✅ next 👩🏽💻 acme x2 1 2 ",
    "y" * 900: f" {'y' * LONGEST_WORD} ",
    "学" * 300: f" {'学' * 300} ",
}


def assigned() -> Sequence[int]:
    """All characters of the basic plane that every Unicode since 14 knows alike."""
    found = (c for c in range(1, 0x10000) if not 0xD800 <= c < 0xE000)
    return [c for c in found if unicodedata.category(chr(c)) != "Cn"]


def random_texts(count: int) -> Iterator[str]:
    """Texts of letters and marks of many scripts side by side."""
    chosen = random.Random(1)
    scripts = ((0x20, 0x7F), (0xA0, 0x250), (0x300, 0x530), (0x590, 0x700), (0x900, 0xE00))
    more = ((0xE00, 0xF00), (0x1100, 0x1200), (0x2000, 0x2C00), (0x3000, 0x3130), (0xAC00, 0xAD00))
    for _ in range(count):
        pool = chosen.sample([*scripts, *more], 3)
        text = "".join(chr(chosen.randrange(*chosen.choice(pool))) for _ in range(30))
        # PostgreSQL 15 drops this old vowel behind a syllable when it composes (18 does not).
        yield text.replace("\u11a7", "")


@pytest.mark.parametrize("text", FORMS, ids=range(len(FORMS)))
def test_a_text_has_one_form(text: str) -> None:
    assert normal_form(text) == FORMS[text]


@pytest.mark.postgresql
def test_postgresql_makes_the_same_form(postgresql_url: DatabaseUrl) -> None:
    alone = [f"a{chr(c)}b {chr(c)} c{chr(c)}" for c in assigned()]
    long = [
        "x y " * 40_000,
        "ﷺ" * 20_000,
        "学习 z" * 30_000,
        "é" * 70_000,
        "é" * 100_000,
        "é й" * 50_000,
    ]
    texts = [*FORMS, *random_texts(3_000), *alone, *long]
    statement = (
        "SELECT chatdb_search_text(t, NULL, false), chatdb_search_text(t, NULL, true)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS q(t, n) ORDER BY n"
    )
    with Database.open(postgresql_url) as database, database.transaction() as connection:
        rows = driver_connection(connection).execute(statement, (texts,)).fetchall()

    forms = [normal_form(text) for text in texts]
    assert len(texts) > 50_000
    assert [each for each in zip(texts, rows, forms, strict=True) if each[1][0] != each[2]] == []
    for (_, indexed), form in zip(rows, forms, strict=True):
        assert set(indexed.split()) == set(lexemes(form))


def fts5(texts: Sequence[str]) -> list[set[str]]:
    """Return the words that the index's tokenizer makes of each text."""
    (tokenizer,) = re.findall(r"tokenize='(.*)'\)", search_table())
    database = sqlite3.connect(":memory:")
    database.execute(f"CREATE VIRTUAL TABLE f USING fts5(content, tokenize='{tokenizer}')")
    database.execute("CREATE VIRTUAL TABLE v USING fts5vocab('f', 'instance')")
    database.executemany("INSERT INTO f VALUES (?)", ((text,) for text in texts))
    found: list[set[str]] = [set() for _ in texts]
    for term, row in database.execute("SELECT term, doc FROM v"):
        found[row - 1].add(term)
    return found


def search_table() -> str:
    from chatdb.db.migrating.catalogue import expected_catalogue

    entries = expected_catalogue("sqlite")
    return next(entry.definition for entry in entries if entry.name == "messages_search")


def test_fts5_splits_texts_that_are_indexed_as_they_are_like_the_form() -> None:
    plain = re.findall(f"[{search_forms._AS_IT_IS}]", "".join(map(chr, assigned())))
    texts = [f"a{c}b {c} c{c}" for c in plain]

    assert len(texts) > 12_000
    assert {form_of(text) for text in texts} == {None}
    for text, words in zip(texts, fts5(texts), strict=True):
        assert words == set(lexemes(normal_form(text))), text


@pytest.mark.large
def test_fts5_splits_other_texts_by_the_blanks_of_their_form() -> None:
    texts = [*FORMS, *random_texts(3_000), *(f"a{chr(c)}b {chr(c)}" for c in assigned())]
    others = [text for text in texts if form_of(text) is not None]

    assert len(others) > 30_000
    for text, words in zip(others, fts5([form_of(t) or "" for t in others]), strict=True):
        assert words == set(lexemes(normal_form(text))), text
        assert " ".join(index_text(normal_form(text)).split()[:1])


def test_tokens_stand_where_their_words_are() -> None:
    text = "Die Straße: 使用Docker✅ cafe\u0301 \u0438\u0306"

    found = [(text[each.start : each.end], each.word, each.is_joined) for each in tokens(text)]

    assert found == [
        ("Die", "die", False),
        ("Straße", "strasse", False),
        ("使", "使", False),
        ("用", "用", True),
        ("Docker", "docker", False),
        ("✅", "✅", False),
        ("cafe\u0301", "cafe", False),
        ("\u0438\u0306", "й", False),
    ]


def test_no_more_than_the_beginning_counts() -> None:
    form = normal_form("ab " * SEARCHED_CHARACTERS)

    assert len(form.split()) == SEARCHED_CHARACTERS // 3 + 1
