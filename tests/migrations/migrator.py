"""A migrator as a process of its own: `python -m tests.migrations.migrator URL [DIRECTORY]`."""

import sys
from pathlib import Path

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import AppliedRevision, MigrationSettings, upgrade
from chatdb.db.url import parse_url


def say(*words: str) -> None:
    """Write a line for the test that started this process."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


class Printer:
    """Prints what happens, a line each."""

    def note(self, text: str) -> None:
        """Print a note."""
        say("note", text)

    def warning(self, text: str) -> None:
        """Print a warning."""
        say("warning", text)

    def applied(self, revision: AppliedRevision) -> None:
        """Print a revision that was committed."""
        say("applied", revision.revision)


def main() -> None:
    directory = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    with Database.open(parse_url(sys.argv[1]), create=True) as database:
        settings = MigrationSettings(lock_wait=60, directory=directory)
        try:
            upgrade(database, settings=settings, watch=Printer())
        except KeyboardInterrupt:
            say("interrupted")
            raise SystemExit(130) from None


if __name__ == "__main__":
    main()
