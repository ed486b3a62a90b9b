"""A pg_dump archive as SQL of any size: fed to pg_restore while its output is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from chatdb.operations.dumps.archive import OnBytes, Prepared, feed, script_of
from chatdb.primitives.beside import beside
from chatdb.servers.dump_programs import DumpPrograms, Running


@contextmanager
def archive_script(
    programs: DumpPrograms, prepared: Prepared, on_bytes: OnBytes | None
) -> Iterator[IO[bytes]]:
    """Have pg_restore write the archive as SQL; raises its errors at the end."""
    with script_of(programs, prepared) as running:
        if prepared.archive.folder is not None:
            try:
                yield running.stdout
            except BaseException:
                _end(running)
                raise
            running.finish()
            return
        with beside(lambda _stopped: feed(running, prepared.archive, on_bytes)) as feeding:
            try:
                yield running.stdout
            except BaseException:
                _end(running)
                raise
            feeding.wait()
        running.finish()


def _end(running: Running) -> None:
    """End it, so that its feeder does not wait forever; raises its own error, if it has one.

    An error of the reader, who got half a script, matters less.
    """
    if running.has_failed:
        running.finish()
    running.end()
