"""What an administrator or an application put into a database never keeps chatdb's tables away."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.operations.owners import owned_database
from tests.operations.restoring import Run, conversations_in, execute, pg_dump
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.postgresql

Command = Callable[..., Any]

INTERNAL = "RETURNS trigger LANGUAGE internal AS 'suppress_redundant_updates_trigger'"
ADMINISTRATORS = {
    "extension pageinspect": "CREATE EXTENSION pageinspect",
    "publication everything": "CREATE PUBLICATION everything FOR ALL TABLES",
    "event trigger noting": "CREATE FUNCTION public.noting() RETURNS event_trigger LANGUAGE plpgsql"
    " AS 'BEGIN END'; CREATE EVENT TRIGGER noting ON sql_drop EXECUTE FUNCTION public.noting()",
    "foreign data wrapper elsewhere": "CREATE FOREIGN DATA WRAPPER elsewhere",
    "function public.inside()": f"CREATE FUNCTION public.inside() {INTERNAL}",
}
"""What only a superuser may make: what it is called, and how it is made."""

TABLE = "CREATE TABLE app_items (id int, word text); INSERT INTO app_items VALUES (1, 'one')"
ANSWER = (
    "CREATE FUNCTION app_answer({}) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'"
)
BREAK = (
    "CREATE OR REPLACE FUNCTION app_answer({}) RETURNS int IMMUTABLE LANGUAGE plpgsql"
    " AS 'BEGIN RETURN (SELECT count(*) FROM app_items); END'"
)
"""By a name without a schema: where pg_restore works, the search path is empty."""

INSIDE = "CREATE FUNCTION public.inside() RETURNS float8 LANGUAGE internal AS 'drandom'"
FIRES = f"CREATE FUNCTION public.fires() {INTERNAL}"
TRIGGER = "CREATE TRIGGER app_fires BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION fires()"
TO_THE_OWNER = (
    "DO 'BEGIN EXECUTE (SELECT format(''ALTER TABLE app_rolls OWNER TO %I'', datdba::regrole)"
    " FROM pg_database WHERE datname = current_database()); END'"
)
BROKEN = {
    "rows of materialized view public.app_sums": (
        [ANSWER.format(""), "CREATE MATERIALIZED VIEW app_sums AS SELECT app_answer()"],
        [BREAK.format("")],
    ),
    "index public.app_items_answer": (
        [
            ANSWER.format("word text"),
            "CREATE INDEX app_items_answer ON app_items (app_answer(word))",
        ],
        [BREAK.format("word text")],
    ),
    "index public.app_messages_answer": (
        [
            ANSWER.format("word text"),
            "CREATE INDEX app_messages_answer ON messages (app_answer(content))",
        ],
        [BREAK.format("word text")],
    ),
    "check constraint app_few of public.app_items": (
        [
            ANSWER.format("word text"),
            "ALTER TABLE app_items ADD CONSTRAINT app_few CHECK (app_answer(word) = 1)",
        ],
        [BREAK.format("word text").replace("count(*)", "7 + count(*)")],
    ),
    "foreign key app_parent of public.app_children": (
        [
            "ALTER TABLE app_items ADD PRIMARY KEY (id)",
            "CREATE TABLE app_children (parent int CONSTRAINT app_parent REFERENCES app_items)",
        ],
        ["SET session_replication_role = replica", "INSERT INTO app_children VALUES (99)"],
    ),
    "trigger app_fires of public.messages": (
        [],
        [
            FIRES,
            TRIGGER,
        ],
    ),
    "rule app_rule of public.app_items": (
        [],
        [
            INSIDE,
            "CREATE RULE app_rule AS ON DELETE TO app_items DO ALSO SELECT public.inside()",
        ],
    ),
    "view public.app_view": ([], [INSIDE, "CREATE VIEW app_view AS SELECT public.inside()"]),
    "table public.app_rolls": (
        [],
        [
            INSIDE,
            "CREATE TABLE app_rolls (roll float8 DEFAULT public.inside())",
            TO_THE_OWNER,
        ],
    ),
    "policy app_policy of public.messages": (
        [],
        [INSIDE, "CREATE POLICY app_policy ON messages USING (public.inside() > 0)"],
    ),
    "domain public.app_domain": (
        [],
        [INSIDE, "CREATE DOMAIN app_domain AS float8 DEFAULT public.inside()"],
    ),
}
"""What breaks on the way: its name, what the owner makes of it, and what breaks it."""


@pytest.fixture
def chatdb(run: Run, owned: tuple[DatabaseUrl, DatabaseUrl]) -> Command:
    """Run a command as the owner; return its code and its answer."""

    def call(*words: str) -> tuple[int, dict[str, Any]]:
        done = run(*words, "--format", "json", "--database-url", owned[0].exposed())
        assert done.stdout, done.stderr
        return done.exit_code, json.loads(done.stdout)

    return call


@pytest.mark.large
@pytest.mark.parametrize("what", ADMINISTRATORS)
def test_what_only_a_superuser_can_make_is_told_at_every_step_and_left_out(
    chatdb: Command, owned: tuple[DatabaseUrl, DatabaseUrl], what: str
) -> None:
    owner, admin = owned
    execute(admin, ADMINISTRATORS[what])

    code, made = chatdb("backup", "create")
    verified = [chatdb("backup", "verify", made["name"], *way) for way in ([], ["--restore"])]
    _, planned = chatdb("restore", made["name"], "--dry-run")
    execute(admin, "DELETE FROM conversations")
    restored, done = chatdb("restore", made["name"], "--yes")

    assert (code, made["needs_superuser"]) == (0, [what])
    for passed, answer in verified:
        assert (passed, answer["passed"]) == (0, True)
        assert what in [each["object"] for each in answer["left_out"]]
    assert any(what in remark for remark in planned["remarks"])
    assert restored == 7
    assert [each["object"] for each in done["left_out"]] == [what]
    assert done["left_out"][0]["error"]
    assert "CREATE" in done["left_out"][0]["remedy"]
    assert conversations_in(owner) == 3


OTHER_WAYS = [
    ("rows of materialized view public.app_sums", "in place"),
    ("check constraint app_few of public.app_items", "in place"),
    ("domain public.app_domain", "in place"),
    ("index public.app_messages_answer", "plain"),
    ("check constraint app_few of public.app_items", "plain"),
    ("index public.app_messages_answer", "tar"),
    ("index public.app_items_answer", "folder"),
]
WAYS = [
    *((what, "archive") for what in BROKEN),
    *(pytest.param(*each, marks=pytest.mark.large) for each in OTHER_WAYS),
]


@pytest.mark.large
@pytest.mark.parametrize(("what", "way"), WAYS)
def test_an_applications_broken_object_is_named_and_the_rest_is_there(
    chatdb: Command,
    owned: tuple[DatabaseUrl, DatabaseUrl],
    postgres: PostgresServer,
    what: str,
    way: str,
) -> None:
    owner, admin = owned
    making, breaking = BROKEN[what]
    execute(owner, TABLE, *making)
    execute(admin, *breaking)
    if way in ("archive", "folder", "in place"):
        jobs = ["--jobs", "2"] if way == "folder" else []
        file = chatdb("backup", "create", *jobs)[1]["file"]
    else:
        path = Path(f"relay_20251125_100000.{'sql' if way == 'plain' else 'tar'}")
        path.write_bytes(pg_dump(postgres, admin, *(["-Ft"] if way == "tar" else [])))
        file = str(path)
    execute(admin, "DELETE FROM conversations")

    code, done = chatdb("restore", file, "--yes", *(["--in-place"] if way == "in place" else []))

    told = {each["object"]: each for each in done["left_out"]}
    assert code == 7
    assert what in told
    assert told[what]["error"]
    assert told[what]["remedy"].rstrip(";")
    assert (done["conversations"], done["messages"]) == (3, 6)
    assert execute(admin, "SELECT count(*) FROM app_items") == [(1,)]


def test_a_check_that_reads_another_table_costs_no_row(
    chatdb: Command, owned: tuple[DatabaseUrl, DatabaseUrl]
) -> None:
    owner, _ = owned
    execute(
        owner,
        "CREATE TABLE z_limits (most int); INSERT INTO z_limits VALUES (5)",
        "CREATE FUNCTION fits(i int) RETURNS bool LANGUAGE sql STABLE"
        " AS 'SELECT EXISTS (SELECT FROM public.z_limits WHERE most >= i)'",
        "CREATE TABLE a_items (i int CONSTRAINT fitting CHECK (fits(i)))",
        "COMMENT ON CONSTRAINT fitting ON a_items IS 'kept'; INSERT INTO a_items VALUES (3)",
    )
    _, made = chatdb("backup", "create")

    for way in ([], ["--in-place"]):
        code, done = chatdb("restore", made["file"], "--yes", *way)
        assert (code, done["left_out"]) == (0, [])
        assert execute(owner, "SELECT i FROM a_items") == [(3,)]
        said = "SELECT obj_description(oid), convalidated FROM pg_constraint"
        assert execute(owner, f"{said} WHERE conname = 'fitting'") == [("kept", True)]


def test_a_constraint_of_an_application_that_never_was_checked_is_no_fault(
    chatdb: Command, owned: tuple[DatabaseUrl, DatabaseUrl]
) -> None:
    owner, _ = owned
    execute(owner, TABLE, "ALTER TABLE app_items ADD CHECK (id > 5) NOT VALID")
    _, made = chatdb("backup", "create")

    code, done = chatdb("restore", made["file"], "--yes")

    assert (code, done["left_out"]) == (0, [])
    assert execute(owner, "SELECT id FROM app_items") == [(1,)]


def test_an_extension_that_chatdbs_own_table_needs_is_refused_before_anything(
    run: Run, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.require_pgvector()
    monkeypatch.chdir(tmp_path)
    with owned_database(postgres) as (owner, admin):
        execute(
            admin,
            "CREATE EXTENSION vector",
            "ALTER TABLE message_embeddings ALTER COLUMN vector TYPE vector"
            " USING vector::text::vector",
        )
        made = run("backup", "create", "--format", "json", "-d", owner.exposed())
        file = json.loads(made.stdout)["file"]
        execute(owner, "DELETE FROM conversations")

        refused = run("restore", file, "--yes", "-d", owner.exposed())
        left = conversations_in(owner)
        in_place = run("restore", file, "--in-place", "--yes", "-d", owner.exposed())

        assert refused.exit_code == 6
        assert "left out before: extension vector" in refused.stderr
        assert "--in-place" in refused.stderr
        assert left == 0
        assert in_place.exit_code == 0, in_place.stderr
        assert conversations_in(owner) == 3
