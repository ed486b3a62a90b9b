"""SQLite: another connection changed the schema between two statements."""

from chatdb.db.connect import connect_sqlite
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl


def test_a_delete_after_another_connection_changed_triggers_finds_its_table(
    sqlite_url: DatabaseUrl,
) -> None:
    with Database.open(sqlite_url) as database, database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM conversations").scalar_one()
        connection.commit()
        put_a_trigger_anew(sqlite_url)

        done = connection.exec_driver_sql("DELETE FROM conversations WHERE id = 'none'")

        assert done.rowcount == 0


def put_a_trigger_anew(url: DatabaseUrl) -> None:
    """Do what a load does in each batch."""
    connection = connect_sqlite(url)
    query = "SELECT sql FROM sqlite_master WHERE name = 'messages_search_delete'"
    (text,) = connection.execute(query).fetchone()
    for statement in ("BEGIN", "DROP TRIGGER messages_search_delete", text, "COMMIT"):
        connection.execute(statement)
    connection.close()
