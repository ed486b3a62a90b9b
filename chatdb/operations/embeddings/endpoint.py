"""A model behind an API like OpenAI's: a POST for each batch, tried again where that may help."""

import http.client
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import numpy as np

from chatdb import __version__
from chatdb.errors import ConfigurationError, EmbeddingsFailedError
from chatdb.operations.embeddings.unit_rows import unit_rows

if TYPE_CHECKING:
    from chatdb.operations.embeddings.models import Endpoint, Vectors

TIMEOUT = 60.0
"""Seconds that one answer may take."""
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each further try, unless the server names some."""
LONGEST_WAIT = 60.0

_TRANSIENT = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_LONGEST_ANSWER = 1 << 28
_LONGEST_REASON = 300


class _Item(msgspec.Struct):
    embedding: list[float]
    index: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Item]


class _PassingError(Exception):
    """What may pass: why, and for how many seconds the server asks to be left alone."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


class EndpointModel:
    """A model that `URL/embeddings` calls by its name."""

    at_once = 64

    def __init__(
        self, name: str, endpoint: "Endpoint", *, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.name = name
        self._address = _address(endpoint)
        self.place = urlsplit(self._address).netloc.rpartition("@")[2]
        self._key = endpoint.key
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_NoRedirect)

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return the vectors of messages; raises EmbeddingsFailedError."""
        answer = self._ask(texts)
        if any(each.index is None for each in answer.data):
            ordered = answer.data
        else:
            ordered = sorted(answer.data, key=lambda each: each.index or 0)
        lengths = {len(each.embedding) for each in ordered}
        if len(ordered) != len(texts) or len(lengths) != 1 or 0 in lengths:
            raise self._failed(
                f"answered with {len(ordered)} vectors of {len(lengths)} lengths for"
                f" {len(texts)} texts"
            )
        return unit_rows(np.array([each.embedding for each in ordered], dtype=np.float64))

    def embed_query(self, text: str) -> "Vectors":
        """Return the vector of what is searched for; raises EmbeddingsFailedError."""
        return self.embed([text])

    def _ask(self, texts: Sequence[str]) -> _Answer:
        body = msgspec.json.encode(
            {"model": self.name, "input": list(texts), "encoding_format": "float"}
        )
        for wait in (*WAITS, None):
            try:
                return self._try(body)
            except _PassingError as error:
                if wait is None:
                    raise self._failed(f"{error.reason}, {len(WAITS) + 1} times") from error
                self._sleep(min(error.wait or wait, LONGEST_WAIT))
        raise AssertionError

    def _try(self, body: bytes) -> _Answer:
        headers = {"Content-Type": "application/json", "User-Agent": f"chatdb/{__version__}"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self._address, body, headers, method="POST")  # noqa: S310 - checked
        try:
            with self._opener.open(request, timeout=TIMEOUT) as response:
                return msgspec.json.decode(response.read(_LONGEST_ANSWER), type=_Answer)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise self._failed(
                    f"has a certificate that is not trusted: {error.reason.verify_message}"
                ) from error
            raise _PassingError(_words(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise _PassingError(_words(error)) from error
        except msgspec.MsgspecError as error:
            raise self._failed(f"answered with what is no list of embeddings: {error}") from error

    def _refused(self, error: urllib.error.HTTPError) -> Exception:
        """Return what a status of the server's means."""
        if 300 <= error.code < 400:
            return self._failed("redirects; use the final address")
        reason = f"answered {error.code} {error.reason}".strip()
        if error.code in _TRANSIENT:
            return _PassingError(reason, _seconds(error.headers.get("Retry-After")))
        said = error.read(_LONGEST_REASON * 4).decode(errors="replace")
        if self._key is not None:
            said = said.replace(self._key, "***")
        said = " ".join(said.split())[:_LONGEST_REASON]
        hint = "check CHATDB_EMBEDDINGS_KEY" if error.code in (401, 403) else None
        if error.code == 404:
            hint = "check CHATDB_EMBEDDINGS_URL, which ends in /v1, and the model's name"
        return self._failed(f"{reason}: {said}" if said else reason, hint)

    def _failed(self, what: str, hint: str | None = None) -> EmbeddingsFailedError:
        hint = hint or "what is embedded stays; to go on: chatdb embeddings build"
        return EmbeddingsFailedError(f"the embeddings API at {self.place} {what}", hint=hint)


def _address(endpoint: "Endpoint") -> str:
    """Return the address to post to; raises ConfigurationError, which does not show the key."""
    hint = "for example https://api.openai.com/v1 or http://127.0.0.1:11434/v1"
    url, source = endpoint.url.strip(), endpoint.source
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or not url.isprintable() or " " in url or parts.query or "@" in parts.netloc:
        raise ConfigurationError(
            f"the address of the embeddings API must be http:// or https://, a host and a path"
            f" ({source})",
            hint=hint,
        )
    key = endpoint.key
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError(
            "CHATDB_EMBEDDINGS_KEY has characters that no key has", hint="copy it again"
        )
    if key is not None and parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise ConfigurationError(
            f"CHATDB_EMBEDDINGS_KEY would be sent to {parts.hostname} in plain text ({source})",
            hint="use https://, or leave out the key",
        )
    return url.rstrip("/").removesuffix("/embeddings") + "/embeddings"


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _seconds(text: str | None) -> float | None:
    """Return a delay that a server asks for; a date is left to our own patience."""
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None


def _words(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return f"gave no answer in {TIMEOUT:.0f} seconds"
    if isinstance(reason, OSError) and reason.strerror:
        return f"cannot be reached: {reason.strerror.lower()}"
    return f"cannot be reached: {type(reason).__name__}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST arrives as a GET without its body: better to report it."""

    def redirect_request(self, *_: object) -> None:
        return None
