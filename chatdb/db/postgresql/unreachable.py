"""Why a PostgreSQL server cannot be used: interprets libpq's messages.

A failed connection has no SQLSTATE, so the text of the message is all there is. Messages in another
language, or unknown ones, keep the server's own words.
"""

import re
import shlex
from dataclasses import dataclass
from enum import StrEnum

from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseMissingError, DatabaseUnreachableError


class Reason(StrEnum):
    """The reason; the words are stable."""

    NOTHING_LISTENS = "nothing_listens"
    NAME_UNKNOWN = "name_unknown"
    NO_ANSWER = "no_answer"
    STARTING = "starting"
    STOPPING = "stopping"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason, not a secret
    NO_PASSWORD = "no_password"  # noqa: S105 - likewise
    NO_ROLE = "no_role"
    NO_DATABASE = "no_database"
    NOT_ALLOWED = "not_allowed"
    TLS_DEMANDED = "tls_demanded"
    TLS_MISSING = "tls_missing"
    TLS_FAILED = "tls_failed"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    OTHER_ROLE = "other_role"
    NOT_POSTGRESQL = "not_postgresql"
    CLOSED = "closed"
    NO_SERVICE = "no_service"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The reason, a sentence that names the place, and the next command to type."""

    reason: Reason
    text: str
    hint: str


_PREAMBLE = r"^(?:connection (?:failed|is bad): )?(?:.*? failed: )?(?:FATAL:\s+|ERROR:\s+)?"
_CONFIG = "check the URL: chatdb config show"
_LOGIN = "check the user and the password: chatdb config show prints where the URL comes from"

# In this order: of several hosts, one that answered says more than one that did not.
_PATTERNS: tuple[tuple[Reason, str, str, str], ...] = (
    (
        Reason.STARTING,
        (
            r"the database system is (?:starting up|not yet accepting|not accepting|in recovery)"
            r"|server login has been failing, try again later"
        ),
        "the server at {place} is starting",
        "wait for it: chatdb wait",
    ),
    (
        Reason.STOPPING,
        r"the database system is shutting down|terminating connection due to administrator",
        "the server at {place} is shutting down",
        "start it again, then: chatdb wait",
    ),
    (
        Reason.WRONG_PASSWORD,
        (
            r"password authentication failed|SASL authentication failed"
            r"|(?:peer|ident|certificate|LDAP|PAM|GSSAPI) authentication failed"
        ),
        "the server at {place} refuses the login of user {user}",
        _LOGIN,
    ),
    (
        Reason.NO_PASSWORD,
        r"no password supplied|empty password returned",
        "the server at {place} requires a password, and none is set",
        "put it into the URL, PGPASSWORD or ~/.pgpass",
    ),
    (
        Reason.NO_ROLE,
        r'role ".*" (?:does not exist|is not permitted to log in)',
        "the server at {place} has no user {user} that may log in",
        _LOGIN,
    ),
    (
        Reason.NO_DATABASE,
        r'database ".*" does not exist|no such database',
        "the server at {place} has no database {database}",
        "to create it: {createdb}",
    ),
    (
        Reason.NOT_ALLOWED,
        r'database ".*" is not currently accepting',
        "the database {database} of the server at {place} accepts no connections",
        "allow them: ALTER DATABASE {database} ALLOW_CONNECTIONS true",
    ),
    (
        Reason.TOO_MANY_CONNECTIONS,
        (
            r"too many clients|too many connections|connection slots are reserved"
            r"|no more connections allowed"
        ),
        "the server at {place} accepts no more connections",
        "close some (pg_stat_activity lists them), or raise max_connections",
    ),
    (
        Reason.NOT_ALLOWED,
        (
            r"no pg_hba\.conf entry for .*, SSL encryption|pg_hba\.conf rejects"
            r"|permission denied for database"
        ),
        "the server at {place} denies user {user} access to database {database}",
        "allow it in pg_hba.conf, or grant CONNECT on the database",
    ),
    (
        Reason.TLS_DEMANDED,
        r"no pg_hba\.conf entry for .*, (?:no encryption|SSL off)|SSL required|TLS required",
        "the server at {place} denies user {user} access to database {database} without TLS",
        "add ?sslmode=require to the URL, or allow it in pg_hba.conf",
    ),
    (
        Reason.NOT_ALLOWED,
        r"no pg_hba\.conf entry",
        "the server at {place} has no rule that allows user {user} in database {database}",
        "allow it in pg_hba.conf",
    ),
    (
        Reason.TLS_MISSING,
        r"server does not support SSL",
        "the server at {place} does not support TLS, but the URL requires it",
        "enable TLS on the server, or remove sslmode from the URL",
    ),
    (
        Reason.TLS_FAILED,
        (
            r"certificate verify failed|root certificate file|certificate file"
            r"|server certificate for .* does not match|SSL error"
        ),
        "TLS with the server at {place} failed: {message}",
        "check sslmode and sslrootcert of the URL",
    ),
    (
        Reason.OTHER_ROLE,
        r"session is (?:not )?read-only|server is (?:not )?in hot standby",
        "no server at {place} matches target_session_attrs",
        "check which one is the primary",
    ),
    (
        Reason.NOT_POSTGRESQL,
        (
            r"invalid response to SSL negotiation|expected authentication request"
            r"|unsupported frontend protocol"
        ),
        "the program listening at {place} is not a PostgreSQL server",
        "check the port: chatdb config show",
    ),
    (
        Reason.NO_SERVICE,
        r'definition of service "[^"]*" not found|service file "[^"]*" not found',
        "libpq does not know the service: {message}",
        "add it to ~/.pg_service.conf, or unset PGSERVICE",
    ),
    (
        Reason.CLOSED,
        r"server closed the connection|Connection reset by peer|the connection is lost",
        "the server at {place} closed the connection",
        "see its log",
    ),
    (
        Reason.NO_ANSWER,
        r"timeout|timed out|No route to host|Network is unreachable|Host is down",
        "{place} does not answer",
        "check the URL and any firewall: chatdb config show",
    ),
    (
        Reason.NAME_UNKNOWN,
        r"failed to resolve host|could not translate host name",
        "the name {hosts} does not resolve",
        _CONFIG,
    ),
    (
        Reason.NOTHING_LISTENS,
        r"Connection refused|No such file or directory",
        "nothing listens at {place}",
        (
            "start the server (for development: chatdb dev-db up), or check the URL: chatdb "
            "config show"
        ),
    ),
)


def diagnose(message: str, url: DatabaseUrl) -> Diagnosis:
    """Return the meaning of a failed connection's message; `url` gives place, user and database."""
    words = {
        "place": place_of(url),
        "hosts": url.host or "of the host",
        "user": url.user or "(the default)",
        "database": url.database or "(the default)",
        "message": _plain(message),
        "createdb": _createdb(url),
    }
    for reason, pattern, text, hint in _PATTERNS:
        if re.search(pattern, message, re.IGNORECASE):
            return Diagnosis(reason, text.format(**words), hint.format(**words))
    return Diagnosis(Reason.OTHER, _plain(message), _CONFIG)


def _createdb(url: DatabaseUrl) -> str:
    """Return the command that creates the database on its server, if that is a single one."""
    options = (("-h", url.host), ("-p", url.port), ("-U", url.user))
    words = [word for option, value in options if value for word in (option, value)]
    return shlex.join(["createdb", *(words if "," not in url.host else ()), url.database])


def no_connection(found: Diagnosis, url: DatabaseUrl) -> DatabaseUnreachableError:
    """Return the error for a connection that failed so; DatabaseMissingError without database."""
    place = url.redacted()
    text = f"no connection to {place}: {found.text}"
    if found.reason is Reason.NO_DATABASE:
        return DatabaseMissingError(text, place=place, hint=found.hint)
    return DatabaseUnreachableError(text, hint=found.hint)


def place_of(url: DatabaseUrl) -> str:
    """Return where the server is: host and port of each."""
    hosts = [host or "the local socket" for host in url.host.split(",")]
    ports = url.port.split(",")
    ports += [ports[-1]] * (len(hosts) - len(ports))
    return ", ".join(
        f"{host}:{port}" if port and not host.startswith(("/", "the ")) else host
        for host, port in zip(hosts, ports, strict=False)
    )


def _plain(message: str) -> str:
    """Return the first failure's own words, without libpq's preamble."""
    line = message.strip().partition("\n")[0]
    return re.sub(_PREAMBLE, "", line) or line
