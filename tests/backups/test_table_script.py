"""What of a dump is run to read its tables, and what is not."""

import io
import re

import pytest

from chatdb.backups.table_script import look_at_start, table_script
from chatdb.errors import RefusedError

DUMP = """\
SET statement_timeout = 0;
SET client_encoding = 'SQL_ASCII';
SELECT pg_catalog.set_config('search_path', '', false);
SET row_security = off;
CREATE SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA extensions;
CREATE EXTENSION vector;
CREATE TYPE public.mood AS ENUM ('a;b', 'c');
SET default_tablespace = fast;
CREATE UNLOGGED TABLE public.chats (id uuid DEFAULT extensions.uuid_generate_v4());
ALTER TABLE public.chats OWNER TO relay;
CREATE VIEW public.seen AS SELECT 1;
ALTER TABLE ONLY public.chats ATTACH PARTITION public.old FOR VALUES IN (1);
COPY public.chats (id) FROM stdin;
CREATE INDEX;
\\.
INSERT INTO public.chats VALUES ('CREATE INDEX');
UPDATE public.chats SET id = NULL;
SELECT pg_catalog.setval('public.n', 1, true);
CREATE INDEX by_id ON public.chats (id);
CREATE TRIGGER t AFTER INSERT ON public.chats EXECUTE FUNCTION public.f();
ALTER TABLE ONLY public.chats ADD CONSTRAINT chats_pkey PRIMARY KEY (id);
CREATE POLICY p ON public.chats;
GRANT ALL ON TABLE public.chats TO PUBLIC;
CREATE PUBLICATION all_of_it FOR ALL TABLES;
CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.f();
DROP TABLE public.chats;
\\unrestrict abc
"""


_TRIED = re.compile(r"DO \$o\w+\$ BEGIN EXECUTE \$i\w+\$\s*(.*?)\$i.*? END \$o\w+\$;", re.DOTALL)


def run_of(script: str, **missing: str) -> str:
    """Return what is run of a script."""
    return b"".join(table_script(io.BytesIO(script.encode()), missing=missing)).decode()


def test_types_tables_and_rows_are_run_and_nothing_else() -> None:
    kept = _TRIED.sub(r"tried: \1", run_of(DUMP)).split("\n")

    assert [line for line in kept if line] == [
        "SET client_encoding = 'SQL_ASCII';",
        "SELECT pg_catalog.set_config('search_path', '', false);",
        "CREATE SCHEMA IF NOT EXISTS extensions;",
        "tried: CREATE TYPE public.mood AS ENUM ('a;b', 'c');",
        "CREATE UNLOGGED TABLE public.chats (id uuid DEFAULT extensions.uuid_generate_v4());",
        "ALTER TABLE ONLY public.chats ATTACH PARTITION public.old FOR VALUES IN (1);",
        "COPY public.chats (id) FROM stdin;",
        "CREATE INDEX;",
        "\\.",
        "INSERT INTO public.chats VALUES ('CREATE INDEX');",
        "UPDATE public.chats SET id = NULL;",
    ]


def test_a_missing_extension_has_stand_ins_for_defaults_before_the_first_table() -> None:
    kept = run_of(DUMP, **{"uuid-ossp": 'my "own"', "vector": "public"})

    assert kept.count('CREATE FUNCTION "my ""own""".uuid_generate_v') == 3
    assert kept.index("uuid_generate_v4()") < kept.index("CREATE UNLOGGED TABLE")
    assert "CREATE EXTENSION" not in kept
    assert "CREATE FUNCTION" not in run_of(DUMP)


def test_a_dump_of_one_schema_tells_its_extensions_by_its_tables() -> None:
    found = look_at_start(
        io.BytesIO(
            b"CREATE TYPE public.hstore AS (x integer);\n"
            b"CREATE TABLE public.vector (id uuid DEFAULT extensions.uuid_generate_v4(),"
            b" embedding extensions.vector(3), own public.hstore, vector public.vectors);\n"
        )
    )

    assert found.extensions == {"uuid-ossp": "extensions", "vector": "extensions"}


def test_what_may_fail_is_run_so_that_its_failure_is_a_warning() -> None:
    kept = run_of("CREATE FUNCTION public.\"o'%\"() RETURNS int AS $$ SELECT ';' $$ LANGUAGE x;")

    assert kept.startswith("\nDO $o")
    assert "AS $$ SELECT ';' $$ LANGUAGE x;$i" in kept
    assert "RAISE WARNING 'chatdb left out function public.\"o''%%\": %', SQLERRM" in kept


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE public.chats",
        "DO $$ BEGIN NULL; END $$",
        "WITH gone AS (DELETE FROM public.chats) SELECT 1",
        "COPY public.chats FROM '/etc/passwd'",
        "COPY public.chats FROM PROGRAM 'id'",
        "CALL public.f()",
    ],
)
def test_a_script_that_does_more_than_a_dump_is_refused(statement: str) -> None:
    with pytest.raises(RefusedError, match=r"^line 2: .* that pg_dump does not write"):
        run_of(f"SET search_path = '';\n{statement};\n")


def test_extensions_and_encoding_are_told_before_the_first_row() -> None:
    found = look_at_start(io.BytesIO(DUMP.encode()))

    assert found.extensions == {"uuid-ossp": "extensions", "vector": "public"}
    assert found.encoding == "SQL_ASCII"
