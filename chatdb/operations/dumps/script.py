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
    """Run the pieces as one script in one transaction; return psql's last lines.

    Raises what its first error means, and DatabaseFailedError unless psql confirms the end: a
    script may end psql early, or swallow the COMMIT. `on_line` receives each line of psql's output.

    `around` it are statements of ours, before and after. `restricted` blocks psql commands, if psql
    is able to. Pieces that end in an error are never committed.
    """
    token = secrets.token_hex(16)
    is_restricted = restricted and can_restrict(client)
    # A user's ~/.psqlrc may change what is relied on here, such as ON_ERROR_STOP.
    words = ["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--file=-"]
    with programs.running(
        client,
        words,
        url=url,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        options=options,
        on_line=on_line and (lambda line: line == token or on_line(line)),
    ) as running:
        try:
            with running.stdin as pipe:
                # Not --single-transaction, which commits what came before a truncated end.
                before, after = around
                pipe.writelines(statement + b";\n" for statement in (b"BEGIN", *before))
                if is_restricted:
                    pipe.write(f"\\restrict {token}\n".encode())
                for piece in pieces:
                    pipe.write(piece)
                if is_restricted:
                    pipe.write(f"\n\\unrestrict {token}".encode())
                # A script that goes on after errors would have its COMMIT roll back, silently.
                pipe.write(b"\n\\set ON_ERROR_STOP 1\nSELECT;")
                pipe.writelines(b"\n" + statement + b";" for statement in (*after, b"COMMIT"))
                pipe.write(f"\n\\warn {token}\n".encode())
        except BrokenPipeError:
            pass  # What psql said before it ended tells why.
        *said, last = running.finish() or [""]
        if last != token:
            raise DatabaseFailedError("psql ended before it had read the whole script")
        return said


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
