"""The doctor's check of the full-text index, and its fix."""

from collections.abc import Iterator
from functools import partial

from chatdb.db.contract.search_index import COMPLETE_HINT
from chatdb.db.database import Database
from chatdb.operations.doctor.findings import Check, Finding, error, info, ok, warning
from chatdb.operations.doctor.schema import LIMITS, is_current
from chatdb.operations.searching.public import (
    SearchIndexReport,
    check_search_index,
    look_at_search_index,
)

_SHOWN = 3


def search_index_check(*, deep: bool) -> Check[Database]:
    """Return the check: `deep` compares the whole index, which takes SQLite's write lock."""
    return Check("search-index", partial(_search_index, deep=deep))


def _search_index(database: Database, *, deep: bool) -> Iterator[Finding]:
    if not is_current(database):
        return
    if deep:
        report = check_search_index(database, settings=LIMITS | {"statement_timeout": "0"})
    else:
        report = look_at_search_index(database, settings=LIMITS)
    yield _finding(report)


def _finding(report: SearchIndexReport) -> Finding:
    if report.state == "off":
        return info("the full-text index is off by request", COMPLETE_HINT)
    if report.state == "deferred":
        return warning(
            "an import did not finish: search is slow until the index is built", COMPLETE_HINT
        )
    if report.problems:
        return error(
            f"the full-text index is not intact: {'; '.join(report.problems[:_SHOWN])}",
            COMPLETE_HINT,
        )
    more = f"; {'; '.join(report.unchecked)}" if report.unchecked else ""
    return ok(f"the full-text index exists{more}")
