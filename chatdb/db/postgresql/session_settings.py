"""PostgreSQL settings that chatdb relies on, whatever a role, database or server sets.

They apply to a transaction (SET LOCAL), or to a connection that is chatdb's alone: behind a pooler
nothing may be left for the next client.
"""

from chatdb.db.lock_waits import LOCK_SECONDS

READ_ONLY = "transaction_read_only"

_HOW_VALUES_ARE_READ = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    # 1: the shortest text that reads back as the same number.
    "extra_float_digits": "1",
    "array_nulls": "on",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
}
_WHAT_IS_FOUND = {
    # With "off" a bound role gets errors in place of its own rows.
    "row_security": "on",
    # A limit makes the index return some of the hits at random.
    "gin_fuzzy_search_limit": "0",
    "transform_null_equals": "off",
}
_NO_HURRY = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": f"{LOCK_SECONDS}s",
}
_FROM_17 = {"transaction_timeout": "0"}
_OF_A_CONNECTION = {
    "idle_session_timeout": "0",
    "default_transaction_isolation": "read committed",
}
_TRANSACTION_TIMEOUT_SINCE = 170_000


def transaction_settings(server_version: int) -> dict[str, str]:
    """Return the settings of each transaction; `server_version` as libpq writes it: 170004."""
    newer = _FROM_17 if server_version >= _TRANSACTION_TIMEOUT_SINCE else {}
    return {**_HOW_VALUES_ARE_READ, **_WHAT_IS_FOUND, **_NO_HURRY, **newer}


def connection_settings(server_version: int) -> dict[str, str]:
    """Return the settings of a connection whose statements are transactions of their own."""
    return {**transaction_settings(server_version), **_OF_A_CONNECTION}


def program_options(server_version: int) -> list[str]:
    """Return the options of a psql, pg_dump or pg_restore session: no time limits apply."""
    newer = _FROM_17 if server_version >= _TRANSACTION_TIMEOUT_SINCE else {}
    # A dump of hours must not fail at a lock; who holds it is told meanwhile.
    settings = {**_NO_HURRY, **newer, "lock_timeout": "0"}
    return [f"-c {name}={value}" for name, value in settings.items()]
