"""Backs up one organization: its conversations as lines of the native format."""

from datetime import UTC, datetime

import chatdb
from chatdb.db.database import Database
from chatdb.formats.native import header_line
from chatdb.operations.backups.parts import Bench, Made
from chatdb.operations.organizations.public import require
from chatdb.store.contents import measure
from chatdb.store.lines import lines_within
from chatdb.store.selecting import READING, ConversationFilter


def back_up_organization(database: Database, key: str, bench: Bench) -> Made:
    """Write the organization's conversations; counts and lines are from one snapshot.

    Raises NotFoundError for an organization that does not exist.
    """
    name = bench.archive_name("native", compressed=True)
    bench.watch.begin("exporting", None)
    with (
        database.transaction(snapshot=True, settings=READING) as connection,
        bench.write(name, on_bytes=bench.watch.advance) as writer,
    ):
        organization = require(connection, key)
        version = database.dialect.server_version(connection)
        with bench.index() as index:
            contents = measure(
                database, connection, organization_id=organization.id, on_entries=index.add
            )
        writer.write(header_line(created=datetime.now(UTC)))
        lines = lines_within(
            connection,
            database.dialect,
            organization.id,
            ConversationFilter(),
            label=organization,
            on_read=lambda _conversations, _messages: None,
        )
        for piece in lines:
            writer.write(piece)
    return Made(
        kind="native",
        tool="chatdb",
        tool_version=chatdb.__version__,
        server_version=version,
        compression="zstd",
        files=(writer.file(name), index.file()),
        index=index.file(),
        unpacked_bytes=writer.unpacked_bytes,
        contents=contents,
    )
