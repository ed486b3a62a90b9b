"""SQLite's errors for a damaged full-text index; light, because it is used after a failure."""

import sqlite3

SEARCH_TABLE = "messages_search"


def is_damaged(error: BaseException | None) -> bool:
    """Tell whether an error of SQLite says that FTS5 cannot read its own tables."""
    if not isinstance(error, sqlite3.Error):
        return False
    name = str(getattr(error, "sqlite_errorname", ""))
    # These come as plain SQLITE_ERROR: only the text tells them from a wrong query.
    return name == "SQLITE_CORRUPT_VTAB" or str(error).startswith(
        (
            "invalid fts5 file format",
            f"vtable constructor failed: {SEARCH_TABLE}",
            f"no such table: main.{SEARCH_TABLE}",
        )
    )
