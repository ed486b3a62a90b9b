"""Turns errors of object store libraries into ours, without secrets."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from chatdb.errors import ChatdbError, NotFoundError, StorageError

_BACKENDS = (
    *("botocore", "aiobotocore", "s3fs", "aiohttp", "gcsfs", "google", "adlfs", "azure"),
    *("fsspec", "requests", "urllib3", "paramiko", "asyncssh"),
)
"""Their errors have no common base class; any other exception except OSError is a bug."""

_CREDENTIALS = (
    "credentials come from the provider's own settings: AWS_PROFILE or "
    "AWS_ACCESS_KEY_ID, GOOGLE_APPLICATION_CREDENTIALS, "
    "AZURE_STORAGE_CONNECTION_STRING ..."
)
_PASSING = {
    *(errno.EBUSY, errno.EIO, errno.EPIPE, errno.ECONNRESET, errno.ECONNABORTED, errno.ETIMEDOUT),
    getattr(errno, "EREMOTEIO", errno.EIO),
}
_LONGEST = 300


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn exceptions of the block into NotFoundError or StorageError that names the address."""
    try:
        yield
    except ChatdbError:
        raise
    except Exception as error:
        if not _is_of_a_backend(error):
            raise
        raise _as_chatdb_error(error, address) from error


def is_worth_a_retry(error: BaseException) -> bool:
    """Tell whether a retry may succeed."""
    if isinstance(error, (PermissionError, FileNotFoundError)):
        return False
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _PASSING
    # By name: the classes are of five libraries, none of which need be installed.
    words = ("Connect", "Timeout", "Closed", "Disconnected", "Payload", "Transport")
    return _is_of_a_backend(error) and any(word in type(error).__name__ for word in words)


def _is_of_a_backend(error: BaseException) -> bool:
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or package in _BACKENDS


def _as_chatdb_error(error: Exception, address: str) -> ChatdbError:
    reason = scrubbed(str(error)) or type(error).__name__
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError):
        if "bucket does not exist" in reason.lower():
            return StorageError(f"{address}: {reason}", hint="create it first, or check the name")
        return NotFoundError(f"there is no file {address}")
    if isinstance(error, PermissionError) or "Credential" in kind or "Authentication" in kind:
        return StorageError(f"{address} denied access: {reason}", hint=_CREDENTIALS)
    if is_worth_a_retry(error):
        return StorageError(
            f"{address} does not answer: {reason}",
            hint="check the network and the endpoint (AWS_ENDPOINT_URL), then run it again",
        )
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return StorageError(f"{address}: {reason}", hint="free some space or choose another place")
    return StorageError(f"{address}: {reason}")


def scrubbed(text: str) -> str:
    """Return the first line without URL parameters, user names and keys."""
    line = text.strip().partition("\n")[0]
    line = re.sub(r"(?i)(https?://)[^\s/@]*@", r"\1", line)
    # Signed URLs carry the right to read in their parameters.
    line = re.sub(r"(?i)(https?://[^\s?\"']*)\?[^\s\"']*", r"\1", line)
    line = re.sub(r"(?i)\b(\w*(?:key|secret|token|signature|password))=[^\s;&]+", r"\1=***", line)
    return line[:_LONGEST]
