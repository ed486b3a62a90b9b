"""What pg_restore tells while it goes on: the entry, what the server said, the statement."""

from chatdb.servers.restore_errors import RestoreErrors

TOLD = """\
pg_restore: creating FUNCTION "public.ok(integer)"
pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 218; 1255 17595 FUNCTION ok(integer) postgres
pg_restore: error: could not execute query: ERROR:  must be member of role "postgres"
HINT:  Ask somebody.
Command was: CREATE FUNCTION public.ok(i integer)
    AS $$two lines$$;

pg_restore: processing data for table "public.a_items"
pg_restore: from TOC entry 3454; 0 17596 TABLE DATA a_items postgres
pg_restore: error: COPY failed for table "a_items": ERROR:  new row violates check constraint
DETAIL:  Failing row contains (3).
CONTEXT:  COPY a_items, line 1: "3"
pg_restore: warning: errors ignored on restore: 2
"""


def test_each_error_has_its_entry_text_and_statement() -> None:
    heard = RestoreErrors()

    for line in TOLD.splitlines():
        heard.hear(line)

    first, second = heard.errors
    assert (first.entry, first.text) == (218, 'must be member of role "postgres"')
    assert first.statement.rstrip() == (
        "CREATE FUNCTION public.ok(i integer)\n    AS $$two lines$$;"
    )
    assert (second.entry, second.table) == (3454, "a_items")
    assert second.text == "new row violates check constraint"
    assert heard.has_ended


def test_one_that_was_ended_early_has_not_come_to_its_end() -> None:
    heard = RestoreErrors()

    heard.hear("pg_restore: error: could not read from input file: end of file")

    assert heard.errors[0].entry == 0
    assert not heard.has_ended
