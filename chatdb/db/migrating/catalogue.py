"""The expected catalogue of a database at head: kept beside the migrations as JSON.

`tests/migrations/write_catalogue.py` writes the file; a test compares it with what the
migrations build.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chatdb.db.contract.migration import CatalogueEntry
from chatdb.db.migrating.scripts import head_revision, migrations_directory
from chatdb.db.url import DialectName
from chatdb.errors import NotFoundError

Problem = Literal["missing", "unexpected", "changed", "damaged"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a database differs from head: `expected` and `found` are definitions, "" for none."""

    kind: str
    table: str
    name: str
    problem: Problem
    expected: str
    found: str


def expected_catalogue(dialect_name: DialectName) -> Sequence[CatalogueEntry]:
    """Return the catalogue at head; raises NotFoundError if this chatdb is incomplete."""
    path = catalogue_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        content = {"revision": None}
    if content["revision"] != head_revision():
        raise NotFoundError(
            f"{path} does not describe revision {head_revision()}",
            hint="reinstall chatdb-cli; in a checkout: make catalogue",
        )
    return [CatalogueEntry(*fields) for fields in content[dialect_name]]


def catalogue_path() -> Path:
    """Return where the file is."""
    return migrations_directory() / "catalogue.json"


def compare(
    expected: Iterable[CatalogueEntry], found: Iterable[CatalogueEntry]
) -> list[Difference]:
    """Return the differences; for a missing table only the table itself."""
    wanted = {(entry.kind, entry.table, entry.name): entry.definition for entry in expected}
    present = {(entry.kind, entry.table, entry.name): entry.definition for entry in found}
    # A missing table would otherwise be followed by a line for each of its columns.
    gone = {key[1] for key in wanted if key[0] == "table" and key not in present}
    differences = []
    for key in sorted(wanted.keys() | present.keys()):
        if wanted.get(key) == present.get(key) or (key[1] in gone and key[0] != "table"):
            continue
        problem: Problem = "changed"
        if key not in present:
            problem = "missing"
        elif key not in wanted:
            problem = "unexpected"
        differences.append(Difference(*key, problem, wanted.get(key, ""), present.get(key, "")))
    return differences
