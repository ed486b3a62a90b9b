"""Checks of the smoke test before it writes anything."""

import time
from contextlib import closing

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.contract.search_index import COMPLETE_HINT
from chatdb.db.migrating.revision import look, mismatch, translated
from chatdb.db.reachable import select_one
from chatdb.operations.organizations.public import organizations
from chatdb.operations.schema.public import SEARCH_KIND, check
from chatdb.operations.searching.public import look_at_search_index
from chatdb.operations.smoke_test.check import CheckSkippedError, SmokeCheck, SmokePlace, expect
from chatdb.operations.smoke_test.traces import left_behind, organizations_of, remove
from chatdb.seeds.demo import DEMO

REACHABLE = "reachable"
CURRENT = "schema-current"
ORGANIZATIONS = "organizations-created"

_ANSWER_SECONDS = 10.0
_SHOWN = 3


def _reachable(place: SmokePlace) -> str:
    url = place.database.url
    started = time.perf_counter()
    with translated(url):
        if url.path is not None:
            with closing(connect_sqlite(url)) as file:
                file.execute("SELECT count(*) FROM sqlite_master").fetchone()
        else:
            with closing(connect_postgresql(url, autocommit=True)) as server:
                select_one(server, _ANSWER_SECONDS)
    return f"{url.redacted()} answers in {(time.perf_counter() - started) * 1000:.1f} ms"


def _current(place: SmokePlace) -> str:
    seen = look(place.database.url, schema=place.database.schema)
    if seen.state != "current":
        raise mismatch(seen, place.database.url)
    return f"the schema is at the newest revision ({seen.revision})"


def _unchanged(place: SmokePlace) -> str:
    report = check(place.database)
    changed = [item for item in report.differences if item.kind != SEARCH_KIND]
    names = [f"{item.kind} {item.name} {item.problem}" for item in changed]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    shown = ", ".join(names[:_SHOWN]) + more
    expect(
        not names, f"it differs from the one the migrations create: {shown} (chatdb schema check)"
    )
    return "; ".join(["the schema is the one the migrations create", *report.notes])


def _search_index(place: SmokePlace) -> str:
    report = look_at_search_index(place.database)
    if report.state in ("deferred", "off"):
        raise CheckSkippedError(f"the search index is {report.state}; to build it: {COMPLETE_HINT}")
    expect(not report.problems, f"{'; '.join(report.problems)} ({COMPLETE_HINT})")
    return "; ".join(["the full-text index exists", *report.unchecked])


def _demo(place: SmokePlace) -> str:
    if organizations.missing(place.database, [DEMO]):
        raise CheckSkippedError(f"there is no organization {DEMO}; to create it: chatdb seed")
    return f"the organization {DEMO} exists"


def _left_overs(place: SmokePlace) -> str:
    found = left_behind(place.database, now=place.now)
    if not found:
        return "no smoke test left anything behind"
    remove(place.database, found, settings={})
    return f"removed what killed smoke tests left behind: {', '.join(found)}"


def _organizations(place: SmokePlace) -> str:
    records = organizations_of(place.traces, place.now)
    made = organizations.add_missing(place.database, records)
    expect(len(made) == len(records), f"only {len(made)} of {len(records)} were created")
    return f"created {' and '.join(made)}"


SCHEMA_CHECKS: tuple[SmokeCheck, ...] = (
    SmokeCheck(name=REACHABLE, run=_reachable),
    SmokeCheck(name=CURRENT, run=_current, needs=(REACHABLE,)),
    SmokeCheck(name="schema-unchanged", run=_unchanged, needs=(CURRENT,)),
    SmokeCheck(name="search-index", run=_search_index, needs=(CURRENT,)),
    SmokeCheck(name="demo-organization", run=_demo, needs=(CURRENT,)),
    SmokeCheck(name="left-overs-swept", run=_left_overs, needs=(CURRENT,)),
    SmokeCheck(name=ORGANIZATIONS, run=_organizations, needs=(CURRENT,)),
)
"""In this order."""
