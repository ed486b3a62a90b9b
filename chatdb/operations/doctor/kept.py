"""The doctor's findings on kept files and databases, and the remains of killed runs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from chatdb.db.url import DatabaseUrl
from chatdb.operations.doctor.findings import Check, Finding, info, ok, warning
from chatdb.operations.kept.public import summarise_kept
from chatdb.primitives.sizes import size_text

Place = tuple[DatabaseUrl, str | None]
"""A database, and the schema of chatdb's tables in it."""

_OLD = timedelta(days=30)


def _kept(place: Place) -> Iterator[Finding]:
    url, schema = place
    found = summarise_kept(url, schema=schema)
    if found is None:
        yield ok("no kept files or databases of restores, migrations or deletions")
        return
    age = datetime.now(UTC) - found.oldest
    what = "item is" if found.items == 1 else "items are"
    text = f"{found.items} {what} kept ({size_text(found.bytes)}), the oldest for {age.days} days"
    fix = "chatdb kept list; then: chatdb kept prune --older-than 30d"
    make = warning if age > _OLD else info
    yield make(text, fix)
    if found.broken_off:
        yield warning(
            f"{found.broken_off} of them were left by interrupted runs", "chatdb kept prune"
        )


KEPT_CHECK: Check[Place] = Check("kept", _kept)
