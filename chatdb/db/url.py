"""Database URLs: read leniently, kept in parts, shown only redacted.

Two kinds: a SQLite file, or PostgreSQL (any scheme that means it, several hosts, a password
with any characters in it). Nothing here imports a driver.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode

from chatdb.errors import ConfigurationError

DialectName = Literal["sqlite", "postgresql"]

_SCHEMES: dict[str, DialectName] = {
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "postgresql+psycopg": "postgresql",
    "postgresql+psycopg2": "postgresql",
    "postgresql+asyncpg": "postgresql",
}
_SQLITE_SUFFIXES = (".db", ".sqlite", ".sqlite3")
_SECRET_PARAMETERS = ("password", "sslpassword")
_EXAMPLES = "sqlite:///data/chatdb.db or postgresql://user:password@host:5432/database"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseUrl:
    """A database's address in parts; PostgreSQL leaves an empty part to libpq (PG* variables).

    `host` and `port` may be comma-separated lists; `path` is set for SQLite only.
    """

    dialect_name: DialectName
    path: Path | None = None
    user: str = ""
    password: str = ""
    host: str = ""
    port: str = ""
    database: str = ""
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def sqlite_path(self) -> Path:
        """The file of a SQLite database."""
        if self.path is None:
            raise TypeError("only a SQLite URL has a path")
        return self.path

    @property
    def name(self) -> str:
        """The usual name of the database: its name on the server, or the file's stem."""
        return self.path.stem if self.path is not None else self.database

    def libpq(self) -> dict[str, str]:
        """Return the parts as libpq's connection parameters; absent parts are left out."""
        parts = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.database,
        }
        return {name: value for name, value in parts.items() if value} | dict(self.parameters)

    def with_database(self, name: str) -> "DatabaseUrl":
        """Return the same server's URL for another database."""
        return replace(self, database=name)

    def redacted(self) -> str:
        """Return the URL for display: the password and secret parameters as `***`."""
        return self._text("***" if self.password else "", hide=True)

    def exposed(self) -> str:
        """Return the URL with its password, for a program that needs it; never for a screen."""
        return self._text(quote(self.password, safe=""), hide=False)

    def _text(self, password: str, *, hide: bool) -> str:
        if self.path is not None:
            return "sqlite:///" + self.path.as_posix() + self._query(hide=hide)
        credentials = quote(self.user, safe="")
        if password:
            credentials += ":" + password
        if credentials:
            credentials += "@"
        return f"postgresql://{credentials}{self._hosts()}/{quote(self.database)}" + self._query(
            hide=hide
        )

    def _hosts(self) -> str:
        hosts, ports = self.host.split(","), self.port.split(",")
        if len(ports) < len(hosts):
            # libpq too takes a single port for every host.
            ports += [ports[-1]] * (len(hosts) - len(ports))
        return ",".join(
            _bracketed(host) + (f":{port}" if port else "")
            for host, port in zip(hosts, ports, strict=False)
        )

    def _query(self, *, hide: bool) -> str:
        if not self.parameters:
            return ""
        shown = [
            (name, "***" if hide and name in _SECRET_PARAMETERS else value)
            for name, value in self.parameters
        ]
        return "?" + urlencode(shown, safe="*/,")


def parse_url(text: str) -> DatabaseUrl:
    """Read a database URL, or a path to a SQLite file ending in .db, .sqlite or .sqlite3.

    A password may be percent-encoded or written raw, with `%`, `@`, `/` or `:` in it; `~/` is the
    home directory. Raises ConfigurationError, without showing the text's password.
    """
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        if text.endswith(_SQLITE_SUFFIXES) and ":" not in text:
            return DatabaseUrl(dialect_name="sqlite", path=_home(text))
        raise ConfigurationError("the database URL has no scheme", hint=f"write it as {_EXAMPLES}")
    dialect_name = _SCHEMES.get(scheme.lower())
    if dialect_name is None:
        raise ConfigurationError(
            f"chatdb does not support databases of the kind {_safe_word(scheme)!r}",
            hint=f"write the URL as {_EXAMPLES}",
        )
    return _sqlite(rest) if dialect_name == "sqlite" else _postgresql(rest)


def _sqlite(rest: str) -> DatabaseUrl:
    path, _, query = rest.partition("?")
    if not path.startswith("/"):
        raise ConfigurationError(
            "a SQLite URL needs three slashes before the path, four for an absolute one",
            hint="write it as sqlite:///data/chatdb.db or sqlite:////var/lib/chatdb.db",
        )
    path = unquote(path[1:])
    if path in ("", ":memory:"):
        raise ConfigurationError(
            "a SQLite database needs a file: one in memory would end with the command",
            hint="write the URL as sqlite:///data/chatdb.db",
        )
    return DatabaseUrl(dialect_name="sqlite", path=_home(path), parameters=tuple(parse_qsl(query)))


def _postgresql(rest: str) -> DatabaseUrl:
    credentials, at, address = _split_credentials(rest)
    user, _, password = credentials.partition(":") if at else ("", "", "")
    hosts, slash, tail = address.partition("/")
    if not slash:
        hosts, mark, query = address.partition("?")
        tail = mark + query
    database, _, query = tail.partition("?")
    host, port = _hosts_and_ports(hosts)
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    return DatabaseUrl(
        dialect_name="postgresql",
        user=_decoded(user) or parameters.pop("user", ""),
        password=_decoded(password) or parameters.pop("password", ""),
        host=host or parameters.pop("host", ""),
        port=port or parameters.pop("port", ""),
        database=_decoded(database) or parameters.pop("dbname", ""),
        parameters=tuple(parameters.items()),
    )


def _split_credentials(rest: str) -> tuple[str, str, str]:
    """Split at the last `@` that a host may follow: a raw password may contain `@` and `/`."""
    end = len(rest)
    while (at := rest.rfind("@", 0, end)) >= 0:
        if re.match(r"[^@/?#]*(?:[/?]|$)", rest[at + 1 :]) and not _inside_query(rest, at):
            return rest[:at], "@", rest[at + 1 :]
        end = at
    return "", "", rest


def _inside_query(rest: str, at: int) -> bool:
    """Tell whether the `@` is in a parameter's value: after `/name?key=`."""
    return re.search(r"(?:^|@)[^@/]*/[^@/?]*\?\w+=[^?]*$", rest[:at]) is not None


def _hosts_and_ports(hosts: str) -> tuple[str, str]:
    names, ports = [], []
    for item in hosts.split(","):
        match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?", item)
        if match is None or (match[2] and not match[2].isdigit()):
            raise ConfigurationError(
                "the host or port of the database URL cannot be read",
                hint="write it as host:5432, several as host1:5432,host2:5432; "
                "percent-encode a password with special characters",
            )
        names.append(unquote(match[1].strip("[]")))
        ports.append(match[2] or "")
    port = ",".join(ports) if any(ports) else ""
    return ",".join(names), port


def _decoded(part: str) -> str:
    """Percent-decode; a part with an invalid `%` escape was never encoded."""
    # Passwords with a stray `%` are pasted as they are; decoding would change the rest of them.
    if re.search(r"%(?![0-9A-Fa-f]{2})", part):
        return part
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        return part


def _home(text: str) -> Path:
    """Expand `~/` like a shell: nothing does so for a `.env`."""
    return Path(text).expanduser() if text.startswith("~/") else Path(text)


def _bracketed(host: str) -> str:
    if ":" in host:
        return f"[{host}]"
    return quote(host, safe="") if host.startswith("/") else host


def _safe_word(word: str) -> str:
    # What stands before `://` may be a pasted password or hold escape sequences.
    return re.sub(r"[^\w+.-]", "?", word)[:30]
