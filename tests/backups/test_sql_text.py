"""SQL scripts are cut where psql cuts them, whatever the quotes and wherever a read ends."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.backups import sql_text
from chatdb.backups.sql_text import Segment, segments
from chatdb.errors import InvalidInputError


def cut(script: str) -> list[Segment]:
    """Cut a script that was written for people."""
    return list(segments(io.BytesIO(script.encode())))


@pytest.mark.parametrize(
    ("script", "statements"),
    [
        ("SELECT 1; SELECT 2;\n", 2),
        ("SELECT ';';", 1),
        ("SELECT 'it''s; one';", 1),
        (r"SELECT 'a\'; SELECT '2';", 2),
        (r"SELECT E'a\'; still';", 1),
        (r"SELECT e'\\'; SELECT 2;", 2),
        (r"SELECT name'\'; SELECT '2';", 2),
        ('SELECT "a;""b" FROM t;', 1),
        ("SELECT $$;$$, $a$ ; $$ ; $a$;", 1),
        ("SELECT a$b$; SELECT c$b$;", 2),
        ("SELECT 1 -- ; '\n;", 1),
        ("/* ; /* ; ' */ ; */ SELECT 1;", 1),
        (
            "--\nCREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; x; END; SELECT 3;",
            2,
        ),
        ("CREATE FUNCTION f() RETURNS int RETURN 1; SELECT 'begin';", 2),
        (r"SET standard_conforming_strings = off; SELECT 'a\'; still';", 2),
    ],
)
def test_a_statement_ends_where_psql_ends_it(script: str, statements: int) -> None:
    found = [each for each in cut(script) if each.data.strip()]

    assert len(found) == statements
    assert b"".join(each.data for each in found) == script.strip().encode()


def test_data_go_to_the_line_with_a_dot_and_are_no_statements() -> None:
    script = (
        "COPY t (a) FROM stdin;\n'; DROP\n\\.x\n\\\\.\n\\.\nSELECT 1;\nCOPY u FROM STDIN;\n\\.\n"
    )

    found = cut(script)

    assert [each.kind for each in found] == [
        *("statement", "statement", "data"),
        *("statement", "statement", "statement", "data"),
    ]
    assert found[2].data == b"'; DROP\n\\.x\n\\\\.\n\\.\n"
    assert (found[2].line, found[3].line) == (2, 6)


@pytest.mark.parametrize(
    "script", ["SELECT 1 \\! id\n;", "\\! id\n", "SELECT 1; \\! id\nSELECT 2;"]
)
def test_a_command_of_psql_is_found_wherever_it_stands(script: str) -> None:
    commands = [each.data for each in cut(script) if each.kind == "command"]

    assert commands == [b"\\! id\n"]


def test_what_hides_the_start_of_the_data_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="line 2: text follows COPY"):
        cut("SELECT 1;\nCOPY t FROM stdin; \\! id\n\\.\n")
    with pytest.raises(InvalidInputError, match="text follows COPY"):
        cut("COPY t FROM stdin; SELECT 1;\n\\.\n")


PIECES = [
    "'",
    '"',
    "$$",
    "$a$",
    "--",
    "/*",
    "*/",
    "\\",
    ";",
    "\n",
    "E'",
    "a",
    " ",
    "COPY t FROM stdin;\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.integers(1, 40))
def test_how_much_is_read_at_once_changes_nothing(pieces: list[str], chunk: int) -> None:
    script = "".join(pieces).encode()

    def all_of_it() -> object:
        try:
            found = list(segments(io.BytesIO(script)))
        except InvalidInputError as error:
            return error.text
        assert b"".join(each.data for each in found) == script
        return [(each.data, each.bare, each.bodies) for each in found if each.kind != "data"]

    whole = all_of_it()
    before, tail = sql_text._CHUNK, sql_text._TAIL
    try:
        sql_text._CHUNK, sql_text._TAIL = chunk, 6
        assert all_of_it() == whole
    finally:
        sql_text._CHUNK, sql_text._TAIL = before, tail
