"""Which extensions a PostgreSQL on this machine could make, by the files beside its programs."""

from collections.abc import Iterable
from pathlib import Path

from chatdb.servers.postgres_tools import Program

_BESIDE = ("share/extension", "share/postgresql/extension", "share/postgresql@{major}/extension")
_ELSEWHERE = (
    "/usr/share/postgresql/{major}/extension",  # Debian, Ubuntu
    "/usr/share/postgresql{major}/extension",  # Alpine
    "/usr/share/postgresql-{major}/extension",  # Gentoo
)


def extensions_of(program: Program, names: Iterable[str]) -> frozenset[str]:
    """Return those of the extensions whose control file is there; none where it is not known."""
    folders = [program.path.resolve().parents[1] / each for each in _BESIDE]
    folders += [Path(each.format(major=program.major)) for each in _ELSEWHERE]
    places = [Path(str(each).format(major=program.major)) for each in folders]
    return frozenset(
        name for name in names if any((place / f"{name}.control").is_file() for place in places)
    )
