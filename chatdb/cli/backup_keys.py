"""Shared by the backup commands: keys, the notify URL, and which database is meant."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.options import option

if TYPE_CHECKING:
    from chatdb.backups.encryption import Keys

EncryptToOption = Annotated[
    list[str] | None,
    option(
        "--encrypt-to RECIPIENT",
        "Encrypt with age to this public key, or to the keys in a file; repeatable.",
    ),
]
IdentityOption = Annotated[
    Path | None, option("--identity FILE", "Private key of an encrypted backup.")
]
NotifyOption = Annotated[
    str | None, option("--notify-url URL", "Post the outcome to this URL, as JSON.")
]


def writing_keys(command: CommandContext, encrypt_to: list[str] | None) -> "Keys":
    """Return the recipients of a new backup: the options, else CHATDB_AGE_RECIPIENTS."""
    from chatdb.backups.encryption import Keys, read_recipients

    setting = command.config.backup.recipients
    words = encrypt_to or ([] if setting is None else _words(setting.value))
    return Keys(recipients=read_recipients(words))


def reading_keys(command: CommandContext, identity: Path | None) -> "Keys":
    """Return the private keys for encrypted backups: the option, else CHATDB_AGE_IDENTITY.

    The file is read at once and only once, because it may be a pipe. Raises UsageError,
    NotFoundError.
    """
    from chatdb.backups.encryption import NO_KEYS, Keys, read_identities

    setting = command.config.backup.identity
    path = identity or (None if setting is None else Path(setting.value))
    return NO_KEYS if path is None else Keys(identities=read_identities(path))


def _words(value: str) -> list[str]:
    """Split keys at commas or lines, not at spaces: SSH keys and file names may contain them."""
    return [word.strip() for word in value.replace("\n", ",").split(",") if word.strip()]


def backed_up_database(command: CommandContext) -> tuple[str, str]:
    """Return the name and kind of the configured database, as manifests name them.

    The server is asked only if the URL leaves the name to it.
    """
    from chatdb.db.label import look_at_label

    url = command.direct_url or command.url
    if url.name:
        return url.name, url.dialect_name
    settings.export_libpq(command.config)
    return look_at_label(url).name, url.dialect_name
