"""Which extensions a PostgreSQL on this machine can create, by the files beside its programs."""

from collections.abc import Iterable

from chatdb.servers.postgres_tools import Program

_BESIDE = ("share/extension", "share/postgresql/extension", "share/postgresql@{major}/extension")
_ELSEWHERE = (
    "/usr/share/postgresql/{major}/extension",  # Debian, Ubuntu
    "/usr/share/postgresql{major}/extension",  # Alpine
    "/usr/share/postgresql-{major}/extension",  # Gentoo
)


def extensions_of(program: Program, names: Iterable[str]) -> frozenset[str]:
    """Return the extensions that have a control file; none if the folder is unknown."""
    above = program.path.resolve().parents[1]
    places = [above / each.format(major=program.major) for each in (*_BESIDE, *_ELSEWHERE)]
    return frozenset(
        name for name in names if any((place / f"{name}.control").is_file() for place in places)
    )
