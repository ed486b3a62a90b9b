"""What is to be imported: files, folders, globs, standard input, and databases."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import ChatdbError, NotFoundError, UsageError
from chatdb.formats import registry as formats
from chatdb.formats.sources import STDIN, open_source
from chatdb.layouts import registry as layouts
from chatdb.layouts.foreign import open_foreign
from chatdb.layouts.foreign_sqlite import is_sqlite


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to read: a path, `-`, or a database with its URL."""

    path: str
    url: DatabaseUrl | None = None

    @property
    def name(self) -> str:
        """The input for people and reports: a URL without its password."""
        return self.path if self.url is None else self.url.redacted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What to read: inputs that exist, the format or layout (None: recognised), where from.

    `source_schema` is the PostgreSQL schema that holds the tables of a database, `tenant` the only
    organization that is wanted of one with several.
    """

    inputs: tuple[Input, ...]
    format_name: str | None = None
    source_name: str | None = None
    source_schema: str | None = None
    tenant: str | None = None

    @property
    def subject(self) -> str:
        """The inputs in a few words, for the log."""
        names = ", ".join(
            each.name if each.url is not None else Path(each.path).name or each.path
            for each in self.inputs[:3]
        )
        more = len(self.inputs) - 3
        return names + (f" and {more} more" if more > 0 else "")

    @property
    def has_database(self) -> bool:
        """Tell whether one of them is a database: then rows are counted, not bytes."""
        return any(each.url is not None for each in self.inputs)


def find_inputs(
    paths: Sequence[str],
    *,
    format_name: str | None = None,
    source_name: str | None = None,
    source_schema: str | None = None,
    tenant: str | None = None,
) -> Inputs:
    """Expand globs, and check every path before anything is read or written.

    A single input must also be of a known format or layout. Raises NotFoundError, UsageError,
    InvalidInputError, StorageError, ConfigurationError for a URL that is none, and
    DatabaseUnreachableError.
    """
    found = {each.path: each for path in paths for each in _found(path)}
    inputs = Inputs(
        inputs=tuple(found.values()),
        format_name=format_name,
        source_name=source_name,
        source_schema=source_schema,
        tenant=tenant,
    )
    _check_names(inputs)
    if len(found) == 1 and STDIN not in found:
        _check(inputs, inputs.inputs[0])
    return inputs


def total_size(inputs: Inputs) -> int | None:
    """Return what reading will count, bytes or rows; None when it cannot be known before."""
    total = 0
    for each in inputs.inputs:
        if inputs.has_database != (each.url is not None) or not _is_measurable(each):
            return None
        try:
            total += _size(inputs, each)
        except ChatdbError:
            continue
    return total


def _is_measurable(each: Input) -> bool:
    path = Path(each.path)
    return each.url is not None or (each.path != STDIN and (path.is_file() or path.is_dir()))


def _size(inputs: Inputs, each: Input) -> int:
    if each.url is None:
        with open_source(each.path) as source:
            return source.size
    with open_foreign(each.url) as foreign:
        found = layouts.recognise(foreign, name=inputs.format_name, schema=inputs.source_schema)
        return sum(foreign.count(table) for table in found.layout.tables(found.catalogue))


def _found(path: str) -> list[Input]:
    if "://" in path:
        return [Input(path, parse_url(path))]
    names = [path] if path == STDIN or Path(path).exists() else _matches(path)
    return [Input(name, _file_url(name)) for name in names]


def _file_url(path: str) -> DatabaseUrl | None:
    if path == STDIN or not Path(path).is_file() or not is_sqlite(Path(path)):
        return None
    return DatabaseUrl(dialect_name="sqlite", path=Path(path))


def _matches(pattern: str) -> list[str]:
    found: list[str] = []
    if glob.has_magic(pattern):
        found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute ones too
    if not found:
        raise NotFoundError(f"{pattern} does not exist", hint="check the path with `ls`")
    return found


def _check_names(inputs: Inputs) -> None:
    """Raise UsageError for a name or option that does not fit what is to be read."""
    if inputs.source_schema is not None and not inputs.has_database:
        raise UsageError("--source-schema is for a database, and there is none to read")
    name = inputs.format_name
    if name is None:
        return
    if not layouts.is_layout(name):
        formats.reader(name)
    for each in inputs.inputs:
        if layouts.is_layout(name) and each.url is None:
            raise UsageError(
                f"--from {name} is the layout of a database, and {each.name} is none",
                hint="name its URL: postgresql://user@host/database or sqlite:///file.db",
            )
        if not layouts.is_layout(name) and each.url is not None:
            raise UsageError(
                f"--from {name} is a format of files, and {each.name} is a database",
                hint="leave out --from: the layout is recognised by its tables",
            )


def _check(inputs: Inputs, only: Input) -> None:
    """Raise now what would end the run at its start."""
    if only.url is not None:
        with open_foreign(only.url) as foreign:
            layouts.recognise(foreign, name=inputs.format_name, schema=inputs.source_schema)
    elif inputs.format_name is None:
        with open_source(only.path) as source:
            formats.detect(source)
    else:
        with open_source(only.path):
            pass
