"""What is asked most goes through its index: lists, one conversation, searches."""

from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.operations.conversations.lists import list_page, read_conversation
from chatdb.operations.conversations.messages import list_page as list_messages
from chatdb.operations.conversations.metadata_words import condition
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.records import organization_id_of
from chatdb.store.selecting import ConversationFilter
from tests.operations.conversation_rows import START

CONVERSATIONS = 3_000
MESSAGES_EACH = 3
LAST = UUID(int=CONVERSATIONS)


def fill(database: Database) -> None:
    """Write conversations enough for a planner that knows them to prefer an index."""
    rows = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count)"
    sqlite = database.dialect.name == "sqlite"
    identifier = (
        "printf('00000000-0000-0000-0000-%012x', {n})"
        if sqlite
        else "lpad(to_hex({n}), 32, '0')::uuid"
    )
    time = (
        "strftime('%Y-%m-%dT%H:%M:%S.000000Z', :start, {n} || ' seconds')"
        if sqlite
        else "CAST(:start AS timestamptz) + make_interval(secs => {n})"
    )
    metadata = "'{\"number\": ' || n || '}'" + ("" if sqlite else "::text")
    conversations = (
        "INSERT INTO conversations (organization_id, id, user_id, title, created_at, updated_at,"
        f" metadata) {rows} SELECT :organization, {identifier.format(n='n')}, 'user ' || n % 20,"
        f" 'Talk ' || n, {time.format(n='n')}, {time.format(n='n')},"
        f" {metadata if sqlite else f'({metadata})::jsonb'} FROM s"
    )
    messages = (
        "INSERT INTO messages (organization_id, conversation_id, id, position, role, content,"
        f" metadata, created_at) {rows} SELECT :organization,"
        f" {identifier.format(n='(n - 1) / :each + 1')}, {identifier.format(n='n')},"
        f" (n - 1) % :each, 'user', 'word' || n || ' common', '{{}}', {time.format(n='n')} FROM s"
    )
    organization = organization_id_of("default")
    values = {
        "organization": str(organization) if sqlite else organization,
        "start": f"{START:%Y-%m-%dT%H:%M:%S.%f}Z" if sqlite else START,
        "count": CONVERSATIONS,
        "each": MESSAGES_EACH,
    }
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        own = {name: value for name, value in values.items() if name != "each"}
        connection.execute(sa.text(conversations), own)
        connection.execute(sa.text(messages), {**values, "count": CONVERSATIONS * MESSAGES_EACH})
        connection.exec_driver_sql("ANALYZE")


def explained(connection: sa.Connection, statement: str, parameters: object) -> str:
    """Return the plan of a statement that was run."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
    else:
        rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)  # type: ignore[arg-type]
    return "\n".join(str(row[-1]) for row in rows) + "\n"


def plans_of(database: Database, work: object) -> list[str]:
    """Return the plans of the queries on conversations and messages that some work runs."""
    ran: list[tuple[str, str]] = []
    plans: list[str] = []

    def remember(
        connection: sa.Connection, _cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        asks = statement.lstrip().startswith("SELECT") or statement.startswith("WITH")
        is_ours = "FROM conversations" in statement or "FROM messages" in statement
        if asks and is_ours and (statement, str(parameters)) not in ran:
            ran.append((statement, str(parameters)))
            plans.append(explained(connection, statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", remember)
    try:
        work()  # type: ignore[operator]
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", remember)
    assert plans
    return plans


def walks_a_table(plan: str) -> bool:
    """Tell whether a plan reads the whole of a large table."""
    return "Seq Scan on " in plan or any(
        line.startswith(("SCAN messages", "SCAN conversations")) and "INDEX" not in line
        for line in plan.splitlines()
    )


def listed(database: Database, **options: object) -> str:
    """Return the plans of a page."""

    def work() -> None:
        list_page(database, organization_key="default", **options)  # type: ignore[arg-type]

    return "".join(plans_of(database, work))


def check_lists(database: Database) -> None:
    """Hold that lists by time walk an index, and that metadata has one on PostgreSQL."""
    cursor = list_page(database, organization_key="default").next_cursor
    for plan in (listed(database), listed(database, after=cursor)):
        assert "ix_conversations_updated_at" in plan
        assert not walks_a_table(plan)
    own = listed(database, wanted=ConversationFilter(user_id="user 7", flags={"archived": False}))
    assert "ix_conversations_user_id_updated_at" in own
    assert not walks_a_table(own)
    if database.dialect.name == "postgresql":
        found = listed(database, wanted=ConversationFilter(metadata=(condition("number=17"),)))
        assert "ix_conversations_metadata" in found


def check_search(database: Database) -> None:
    """Hold that rare and common words are looked up."""

    def search_for(word: str) -> None:
        page = search(database, word, organization_key="default", options=SearchOptions(context=2))
        assert page.hits

    rare = "".join(plans_of(database, lambda: search_for("word77")))
    assert "ix_messages_search" in rare or "messages_search" in rare
    common = "".join(plans_of(database, lambda: search_for("common")))
    assert not walks_a_table(rare + common)


def test_lists_show_and_search_use_their_indexes(database: Database) -> None:
    fill(database)

    check_lists(database)
    check_search(database)
    for work in (
        lambda: read_conversation(database, str(LAST), organization_key="default"),
        lambda: read_conversation(database, "last", organization_key="default"),
        lambda: list_messages(database, str(LAST), organization_key="default", limit=2),
    ):
        for plan in plans_of(database, work):
            assert not walks_a_table(plan)
