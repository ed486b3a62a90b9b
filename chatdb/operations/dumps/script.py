"""Runs SQL scripts with psql: one transaction, or nothing."""

import secrets
import subprocess
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError
from chatdb.servers.dump_programs import Client, DumpPrograms, OnLine

_RESTRICTS = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
"""The first minor version of each major one whose psql can block backslash commands."""

OnBytes = Callable[[int], object]


def run_script(
    programs: DumpPrograms,
    client: Client,
    pieces: Iterable[bytes],
    url: DatabaseUrl,
    *,
    options: Sequence[str],
    restricted: bool = True,
    around: tuple[Sequence[bytes], Sequence[bytes]] = ((), ()),
    on_line: OnLine | None = None,
) -> list[str]:
    """Run the pieces as one script in one transaction; return psql's last line.

    Raises what its first error means. `on_line` receives each line of psql's output.

    `around` it are statements of ours, before and after. `restricted` blocks psql commands, if psql
    is able to. Pieces that end in an error are never committed.
    """
    # A user's ~/.psqlrc may change what is relied on here, such as ON_ERROR_STOP.
    words = ["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"]
    with programs.running(
        client,
        words,
        url=url,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        options=options,
        on_line=on_line,
    ) as running:
        try:
            with running.stdin as pipe:
                # Not --single-transaction, which commits what came before a truncated end.
                before, after = around
                pipe.writelines(statement + b";\n" for statement in (b"BEGIN", *before))
                if restricted and can_restrict(client):
                    pipe.write(b"\\restrict " + secrets.token_hex(16).encode() + b"\n")
                for piece in pieces:
                    pipe.write(piece)
                pipe.writelines(b"\n" + statement + b";" for statement in (*after, b"COMMIT"))
        except BrokenPipeError:
            running.finish()
            raise DatabaseFailedError("psql ended before it had read the whole script") from None
        return running.finish()


def can_restrict(client: Client) -> bool:
    """Tell whether this psql knows `\\restrict`."""
    major, minor = client.version
    return minor >= _RESTRICTS.get(major, 0) if major >= min(_RESTRICTS) else False


def count_rows(connection: Any, tables: Iterable[str]) -> dict[str, int]:
    """Count the rows of tables by their names as SQL writes them, on a bare connection."""
    counts = {}
    for table in tables:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        counts[table] = int(row[0])
    return counts
