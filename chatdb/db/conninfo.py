"""An address as libpq's connection string, for the words of a program: nothing secret in it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chatdb.db.url import DatabaseUrl

CONNECT_TIMEOUT_SECONDS = 10
_SECRETS = ("password", "sslpassword")


def conninfo(url: DatabaseUrl, *, options: Sequence[str] = (), options_before: str = "") -> str:
    """Write the address without its secrets; `options` are settings such as `-c name=value`.

    They stand in it and not in PGOPTIONS, which those of a service file would beat; what
    PGOPTIONS holds is given as `options_before`.
    """
    parts = {"connect_timeout": str(CONNECT_TIMEOUT_SECONDS), **url.libpq()}
    for secret in _SECRETS:
        parts.pop(secret, None)
    if options:
        parts["options"] = " ".join([parts.get("options") or options_before, *options]).strip()
    return written(parts)


def named(url: DatabaseUrl, application_name: str) -> DatabaseUrl:
    """Return the address for a session of this name; it is the last of its parameters."""
    others = tuple(each for each in url.parameters if each[0] != "application_name")
    return replace(url, parameters=(*others, ("application_name", application_name)))


def written(parts: Mapping[str, str]) -> str:
    """Write connection parameters as libpq reads them, each value quoted."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in parts.items())


def secrets(url: DatabaseUrl) -> dict[str, str]:
    """Return the variables that carry the password to a program of PostgreSQL's."""
    password = url.libpq().get("password")
    return {"PGPASSWORD": password} if password else {}


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
