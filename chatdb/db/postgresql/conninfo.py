"""A URL as libpq's connection string, without secrets, for a program's arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chatdb.db.url import DatabaseUrl

CONNECT_TIMEOUT_SECONDS = 10
_SECRETS = ("password", "sslpassword")


def conninfo(url: DatabaseUrl, *, options: Sequence[str] = (), options_before: str = "") -> str:
    """Write the URL without its secrets; `options` are settings such as `-c name=value`.

    They are part of it and not of PGOPTIONS, which a service file would override; the contents of
    PGOPTIONS are passed as `options_before`.
    """
    parts = {"connect_timeout": str(CONNECT_TIMEOUT_SECONDS), **url.libpq()}
    for secret in _SECRETS:
        parts.pop(secret, None)
    # An `options` parameter of the URL would otherwise be lost to ours, or ours to it.
    if options:
        parts["options"] = " ".join([parts.get("options") or options_before, *options]).strip()
    return written(parts)


def named(url: DatabaseUrl, application_name: str) -> DatabaseUrl:
    """Return the URL for a session of this name, which is the last of its parameters."""
    others = tuple(each for each in url.parameters if each[0] != "application_name")
    return replace(url, parameters=(*others, ("application_name", application_name)))


def written(parts: Mapping[str, str]) -> str:
    """Write connection parameters as libpq reads them, each value quoted."""
    return " ".join(f"{name}={_quoted(value)}" for name, value in parts.items())


def secrets(url: DatabaseUrl) -> dict[str, str]:
    """Return the variables that pass the password to a PostgreSQL program."""
    password = url.libpq().get("password")
    return {"PGPASSWORD": password} if password else {}


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
