"""What to import: files, folders, globs, standard input, databases, and dumps of them."""

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chatdb.backups.dump_files import DumpFile, find_dump
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import ChatdbError, NotFoundError, UsageError
from chatdb.formats import registry as formats
from chatdb.formats.files.sources import STDIN, open_source
from chatdb.formats.sorting import require_readable
from chatdb.layouts import registry as layouts
from chatdb.layouts.foreign import ForeignDatabase, OnRows
from chatdb.layouts.foreign_sqlite import is_sqlite
from chatdb.layouts.opening import open_foreign


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to read: a path, `-`, a database with its URL, or a dump of one.

    A dump has a `url` once it is restored, and the `source_name` of its database; `failure` is why
    it could not be restored.
    """

    path: str
    url: DatabaseUrl | None = None
    dump: DumpFile | None = None
    source_name: str | None = None
    failure: ChatdbError | None = None

    @property
    def is_database(self) -> bool:
        """Whether it has rows rather than bytes: a database, or a dump of one."""
        return self.url is not None or self.dump is not None

    @property
    def name(self) -> str:
        """The input for people and reports: a URL without its password."""
        return self.path if self.url is None or self.dump is not None else self.url.redacted()

    @contextmanager
    def opened(self, on_rows: OnRows | None = None) -> Iterator[ForeignDatabase]:
        """Open the database, under the dump's name if it is of one; raises its failure."""
        if self.failure is not None:
            raise self.failure
        if self.url is None:
            raise TypeError(f"{self.name} is not a database")
        with open_foreign(self.url, on_rows) as foreign:
            if self.dump is not None:
                foreign.name = self.name
            if self.source_name is not None:
                foreign.source_name = self.source_name
            yield foreign


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What to read: existing inputs, the format or layout (None: detected), where from.

    `source_schema` is the PostgreSQL schema that holds the tables of a database, `tenant` the only
    organization to read of one with several. `all_organizations` lets conversations of a native
    file go to the organizations that it names.
    """

    inputs: tuple[Input, ...]
    format_name: str | None = None
    source_name: str | None = None
    source_schema: str | None = None
    tenant: str | None = None
    all_organizations: bool = False

    @property
    def subject(self) -> str:
        """The inputs in a few words, for the log."""
        names = ", ".join(
            Path(each.path).name or each.path if each.name == each.path else each.name
            for each in self.inputs[:3]
        )
        more = len(self.inputs) - 3
        return names + (f" and {more} more" if more > 0 else "")

    @property
    def has_database(self) -> bool:
        """Tell whether one of them is a database: then rows are counted, not bytes."""
        return any(each.is_database for each in self.inputs)

    @property
    def has_dump(self) -> bool:
        """Tell whether one of them is a dump, which has to be restored before it is read."""
        return any(each.dump is not None for each in self.inputs)


def find_inputs(
    paths: Sequence[str],
    *,
    format_name: str | None = None,
    source_name: str | None = None,
    source_schema: str | None = None,
    tenant: str | None = None,
    all_organizations: bool = False,
) -> Inputs:
    """Expand globs, and check every path before anything is read or written.

    A single input must also be of a known format or layout. Raises NotFoundError, UsageError,
    InvalidInputError, StorageError, ConfigurationError for an invalid URL, and
    DatabaseUnreachableError.
    """
    found = {each.path: each for path in paths for each in _found(path)}
    inputs = Inputs(
        inputs=tuple(found.values()),
        format_name=format_name,
        source_name=source_name,
        source_schema=source_schema,
        tenant=tenant,
        all_organizations=all_organizations,
    )
    _check_names(inputs)
    if len(found) == 1 and STDIN not in found:
        _check(inputs, inputs.inputs[0])
    return inputs


def total_size(inputs: Inputs) -> int | None:
    """Return what reading will count, bytes or rows; None if unknown."""
    total = 0
    for each in inputs.inputs:
        if inputs.has_database != each.is_database or not _is_measurable(each):
            return None
        try:
            total += _size(inputs, each)
        except ChatdbError:
            continue
    return total


def _is_measurable(each: Input) -> bool:
    path = Path(each.path)
    return each.is_database or (each.path != STDIN and (path.is_file() or path.is_dir()))


def _size(inputs: Inputs, each: Input) -> int:
    if not each.is_database:
        with open_source(each.path) as source:
            return source.size
    with each.opened() as foreign:
        found = layouts.recognise(foreign, name=inputs.format_name, schema=inputs.source_schema)
        return sum(foreign.count(table) for table in found.layout.tables(found.catalogue))


def _found(path: str) -> list[Input]:
    if "://" in path:
        return [Input(path, parse_url(path))]
    names = [path] if path == STDIN or Path(path).exists() else _matches(path)
    return [_file(name) for name in names]


def _file(name: str) -> Input:
    """Detect what a file is: SQLite databases and dumps count as databases."""
    path = Path(name)
    if name == STDIN or not (path.is_file() or path.is_dir()):
        return Input(name)
    # By the first bytes: applications give their SQLite files any ending.
    if is_sqlite(path):
        return Input(name, DatabaseUrl(dialect_name="sqlite", path=path))
    return Input(name, dump=find_dump(path))


def _matches(pattern: str) -> list[str]:
    found: list[str] = []
    if glob.has_magic(pattern):
        found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute ones too
    if not found:
        raise NotFoundError(f"{pattern} does not exist", hint="check the path with `ls`")
    return found


def _check_names(inputs: Inputs) -> None:
    """Raise UsageError for a name or option that does not fit the inputs."""
    if inputs.source_schema is not None and not inputs.has_database:
        raise UsageError("--source-schema is only for databases, and no input is one")
    name = inputs.format_name
    if name is None:
        return
    if not layouts.is_layout(name):
        if all(each.is_database for each in inputs.inputs) and not formats.is_reader(name):
            layouts.layout(name)
        formats.reader(name)
    for each in inputs.inputs:
        if not formats.is_reader(name) and not each.is_database:
            raise UsageError(
                f"--from {name} is a database layout, and {each.name} is not a database",
                hint="give its URL: postgresql://user@host/database; or a SQLite file, or a dump",
            )
        if not layouts.is_layout(name) and each.is_database:
            what = "a database" if each.dump is None else "a dump of a database"
            raise UsageError(
                f"--from {name} is a file format, and {each.name} is {what}",
                hint="leave out --from: the layout is detected from its tables",
            )


def _check(inputs: Inputs, only: Input) -> None:
    """Raise now what would end the run at its start; a dump has to be restored first."""
    if only.url is not None:
        check_layout(inputs, only)
    elif only.dump is not None:
        return
    elif inputs.format_name is None:
        with open_source(only.path) as source:
            require_readable(source)
    else:
        with open_source(only.path):
            pass


def check_layout(inputs: Inputs, each: Input) -> None:
    """Raise unless a database has a layout: the requested one, if there is one."""
    with each.opened() as foreign:
        layouts.recognise(foreign, name=inputs.format_name, schema=inputs.source_schema)
