"""Plain dumps: what is in one, what it could run, what is left out for psql."""

import io
from pathlib import Path

import pytest

from chatdb.backups.plain_sql import Omissions, PlainDump, for_psql, inspect, rights

DUMP = """\
--
-- PostgreSQL database dump
--

\\restrict abc

-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 17.2

SET statement_timeout = 0;
SET transaction_timeout = 0;
DROP TABLE public.chats;
ALTER TABLE ONLY public.chats DROP CONSTRAINT chats_pkey;
CREATE SCHEMA public;
COMMENT ON EXTENSION "uuid-ossp" IS 'ids';
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;
CREATE TABLE public.chats (id uuid NOT NULL, "odd ""name" text);
ALTER TABLE public.chats OWNER TO relay;
GRANT SELECT ON TABLE public.chats TO "Reader One";
ALTER DEFAULT PRIVILEGES FOR ROLE relay IN SCHEMA public GRANT SELECT ON TABLES TO other;
GRANT ALL ON SCHEMA public TO PUBLIC;

COPY public.chats (id, "odd ""name") FROM stdin;
1\tcopy (select 1) to program \\\\! it
2\t\\N
\\.

-- PostgreSQL database dump complete
--

\\unrestrict abc
"""


def look(script: str) -> PlainDump:
    """Inspect a script that was written for people."""
    return inspect(io.BytesIO(script.encode()))


def kept(script: str, **omissions: object) -> str:
    """Return what psql is given of a script."""
    pieces = for_psql(io.BytesIO(script.encode()), Omissions(**omissions))  # type: ignore[arg-type]
    return b"".join(pieces).decode()


def test_a_dump_tells_what_is_in_it() -> None:
    found = look(DUMP)

    assert (found.server_major, found.tool_version) == (15, (17, 2))
    assert found.roles == {"relay", "Reader One", "other"}
    assert found.extensions == {"uuid-ossp"}
    assert found.tables == ["public.chats"]
    assert found.rows == {"public.chats": 2}
    assert found.is_complete
    assert found.dangers == []


def test_psql_is_given_what_can_be_done_here() -> None:
    text = kept(DUMP, roles=frozenset({"relay", "Reader One"}), server_major=15)

    for gone in ("restrict", "transaction_timeout", "DROP", "CREATE SCHEMA", "COMMENT", "relay"):
        assert gone not in text
    assert "Reader One" not in text
    for there in ("statement_timeout", "CREATE EXTENSION", "CREATE TABLE", "TO PUBLIC", "2\t\\N\n"):
        assert there in text


def test_what_only_a_member_of_a_role_may_say_is_left_out_and_its_rights_are_not() -> None:
    script = (
        "ALTER TABLE t OWNER TO relay;\n"
        "GRANT SELECT ON TABLE t TO relay;\n"
        "ALTER DEFAULT PRIVILEGES FOR ROLE relay GRANT SELECT ON TABLES TO reader;\n"
        "ALTER TABLE u OWNER TO reader;\n"
    )
    wanted = "\nGRANT SELECT ON TABLE t TO relay;\nALTER TABLE u OWNER TO reader;\n"
    omissions = Omissions(owners=frozenset({"relay"}))

    assert look(script).owners == {"relay", "reader"}
    assert kept(script, owners=frozenset({"relay"})).replace("\n\n", "\n") == wanted
    told = b"".join(rights(io.BytesIO(script.encode()), omissions)).decode()
    assert told.replace("\n\n", "\n").strip() == wanted.strip()


def test_a_cut_dump_is_known_by_its_end() -> None:
    assert not look(DUMP[: DUMP.index("-- PostgreSQL database dump complete")]).is_complete


def test_a_dump_of_several_databases_is_known() -> None:
    assert look("CREATE DATABASE a;\n\\connect a\n").databases == 1
    assert look("\\connect a\nSELECT 1;\n\\c b\n").databases == 2
    assert kept("CREATE DATABASE a;\n\\connect a\nSELECT 1;\n").strip() == "SELECT 1;"


@pytest.mark.parametrize(
    "script",
    [
        "\\! id\n",
        "SELECT 1 \\gexec\n",
        "\\copy t from program 'id'\n",
        "COPY t FROM PROGRAM 'id';",
        "copy (select 1) to /* x */ program 'id';",
        "COPY t FROM -- x\n PROGRAM 'id';",
        "DO $$ BEGIN EXECUTE 'COPY t FROM PROGRAM ''id'''; END $$;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y';",
        "CREATE FUNCTION f() RETURNS int AS $$ import os $$ LANGUAGE plpython3u;",
        "ALTER SYSTEM SET archive_command = 'id';",
        "LOAD '/tmp/evil.so';",
        "SELECT lo_export(1, '/tmp/x');",
        "SET client_encoding = 'SJIS';",
        "SELECT set_config('standard_conforming_strings', 'off', false);",
        "COPY t FROM stdin;\na\\! id\n\\.\n",
    ],
)
def test_what_could_run_something_is_named_with_its_line(script: str) -> None:
    found = look("SELECT 1;\n" + script)

    assert len(found.dangers) == 1
    assert found.dangers[0].startswith("line ")


@pytest.mark.parametrize(
    "script",
    [
        "INSERT INTO messages VALUES ('copy it to program \\! x; LANGUAGE c');",
        "INSERT INTO m VALUES (E'it''s \\\\! fine');",
        "COMMENT ON TABLE t IS 'a \\! b';",
        "COPY t FROM stdin;\nC:\\\\temp\\\\!\t\\N\t\\t\\n\n\\.\n",
    ],
)
def test_what_people_wrote_in_chats_is_no_danger(script: str) -> None:
    assert look(script).dangers == []


@pytest.mark.corpus
def test_real_dumps_hold_nothing_dangerous(corpus: Path) -> None:
    dumps = sorted((corpus / "pg_dump").glob("*.sql"))

    assert dumps
    for path in dumps:
        with path.open("rb") as stream:
            found = inspect(stream)

        assert found.dangers == []
        assert found.is_complete
        assert sum(found.rows.values()) > 0
