"""Posts the outcome of a job as JSON to a URL.

A dead-man's switch (healthchecks.io and the like) raises the alarm if nothing arrives, so a killed
process is noticed too. The server's answer never decides about the job.
"""

import base64
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from chatdb.errors import UsageError
from chatdb.primitives.in_time import in_time

Event = Literal["backup", "verify", "prune"]
Result = Literal["succeeded", "failed", "interrupted"]

TIMEOUT = 10.0
"""Seconds that one answer may take."""
DEADLINE = 40.0
"""Seconds in all: looking a name up has no time limit of its own."""

_WAITS = (1.0, 3.0)
_PLACEHOLDERS = ("event", "outcome", "exit_code")
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The error as the command prints it."""

    code: str
    text: str
    hint: str | None = None


class JobOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The posted JSON; `details` are a few figures of the job. It contains no secret.

    `database` is redacted, `host` names the machine, `seconds` is how long the job took.
    """

    event: Event
    outcome: Result
    exit_code: int
    database: str | None
    host: str
    chatdb_version: str
    started_at: datetime
    seconds: float
    details: dict[str, object] = {}
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class NotifyUrl:
    """A URL to post to, which is often a secret itself: people see `place`."""

    address: str

    def __repr__(self) -> str:
        """Name the host only."""
        return f"NotifyUrl({self.place!r})"

    @property
    def place(self) -> str:
        """The host, for notes and errors."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def parse_notify_url(text: str) -> NotifyUrl:
    """Check a URL before the job begins; raises UsageError, which does not show it."""
    hint = "for example https://hc-ping.com/UUID/{exit_code}"
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise UsageError("the notify URL must start with http:// or https://", hint=hint)
    unknown = set(re.findall(r"\{([^{}]*)\}", text)) - set(_PLACEHOLDERS)
    if unknown:
        words = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
        raise UsageError(f"the notify URL may contain {words} and no other", hint=hint)
    return NotifyUrl(text)


def post_outcome(url: NotifyUrl, outcome: JobOutcome) -> str | None:
    """Post the outcome; return why it did not arrive, for a warning, or None.

    Tries three times if a retry may help, and never takes longer than DEADLINE.
    """
    answer = in_time(lambda: (_post(url, outcome),), DEADLINE)
    (problem,) = answer or (f"no answer in {DEADLINE:.0f} seconds",)
    return None if problem is None else f"the outcome was not posted to {url.place}: {problem}"


def _post(url: NotifyUrl, outcome: JobOutcome) -> str | None:
    request = _request(url, outcome)
    opener = urllib.request.build_opener(_NoRedirect)
    problem = None
    for wait in (*_WAITS, None):
        problem, is_passing = _try(opener, request)
        if problem is None or not is_passing or wait is None:
            break
        time.sleep(wait)
    return problem


def _try(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request
) -> tuple[str | None, bool]:
    """Post once; return what went wrong and whether it may pass."""
    try:
        with opener.open(request, timeout=TIMEOUT):
            return None, False
    except urllib.error.HTTPError as error:
        with error:
            if 300 <= error.code < 400:
                return "it redirects; use the final URL", False
            reason = f"it answered {error.code} {error.reason}".strip()
            return reason, error.code in _TRANSIENT
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {error.reason.verify_message}", False
        return _words(error.reason), True
    except (OSError, http.client.HTTPException) as error:
        return _words(error), True


def _words(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return f"no answer in {TIMEOUT:.0f} seconds"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return type(reason).__name__ if isinstance(reason, Exception) else str(reason)


def _request(url: NotifyUrl, outcome: JobOutcome) -> urllib.request.Request:
    parts = urlsplit(_filled(url.address, outcome))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"chatdb/{outcome.chatdb_version}",
    }
    # urllib takes `user:password@` for a part of the host's name.
    user, _, host = parts.netloc.rpartition("@")
    if user:
        headers["Authorization"] = "Basic " + base64.b64encode(unquote(user).encode()).decode()
    address = urlunsplit(parts._replace(netloc=host, fragment=""))
    body = msgspec.json.encode(outcome)
    return urllib.request.Request(address, body, headers, method="POST")  # noqa: S310 - checked


def _filled(address: str, outcome: JobOutcome) -> str:
    values = {
        "event": outcome.event,
        "outcome": outcome.outcome,
        "exit_code": str(outcome.exit_code),
    }
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], address)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST arrives as a GET without its body: better to report it."""

    def redirect_request(self, *_: object) -> None:
        return None
