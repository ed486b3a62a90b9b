"""What a watch is told, by a real HTTP server on loopback, and what it may not spoil."""

import socket
from datetime import UTC, datetime

import pytest

from chatdb.errors import UsageError
from chatdb.operations.backups import notify
from chatdb.operations.backups.notify import Failure, JobOutcome, parse_notify_url, post_outcome
from tests.watch_server import Watch

OUTCOME = JobOutcome(
    event="backup",
    outcome="failed",
    exit_code=3,
    database="postgresql://chat:***@db.example/chat",
    host="db1",
    chatdb_version="0.2.0",
    started_at=datetime(2026, 11, 25, 2, 30, tzinfo=UTC),
    seconds=1.5,
    error=Failure(code="database_unreachable", text="nothing listens", hint="chatdb wait"),
)


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(notify, "_WAITS", (0.0, 0.0))


def test_the_outcome_arrives_as_json(watch: Watch) -> None:
    assert post_outcome(parse_notify_url(watch.url + "/ping"), OUTCOME) is None

    [request] = watch.got
    assert request["path"] == "/ping"
    assert request["headers"]["Content-Type"] == "application/json"
    assert request["body"] == {
        "event": "backup",
        "outcome": "failed",
        "exit_code": 3,
        "database": "postgresql://chat:***@db.example/chat",
        "host": "db1",
        "chatdb_version": "0.2.0",
        "started_at": "2026-11-25T02:30:00Z",
        "seconds": 1.5,
        "details": {},
        "error": {
            "code": "database_unreachable",
            "text": "nothing listens",
            "hint": "chatdb wait",
        },
    }


def test_the_address_tells_the_outcome_where_the_watch_reads_it_there(watch: Watch) -> None:
    url = watch.url + "/{event}/{outcome}/{exit_code}?again={exit_code}"

    assert post_outcome(parse_notify_url(url), OUTCOME) is None

    assert watch.got[0]["path"] == "/backup/failed/3?again=3"


def test_a_user_in_the_address_logs_in(watch: Watch) -> None:
    url = watch.url.replace("http://", "http://ada:p%40ss@")

    assert post_outcome(parse_notify_url(url), OUTCOME) is None

    assert watch.got[0]["headers"]["Authorization"] == "Basic YWRhOnBAc3M="


@pytest.mark.usefixtures("no_waits")
def test_what_may_pass_is_tried_again(watch: Watch) -> None:
    watch.answers = [503, 429, 200]

    assert post_outcome(parse_notify_url(watch.url), OUTCOME) is None

    assert len(watch.got) == 3


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize(
    ("answer", "says", "tries"),
    [
        (404, "it answered 404 Not Found", 1),
        (302, "it redirects", 1),
        (500, "it answered 500 Internal Server Error", 3),
    ],
)
def test_a_watch_that_refuses_is_named_without_its_secret(
    watch: Watch, answer: int, says: str, tries: int
) -> None:
    watch.answers = [answer]

    problem = post_outcome(parse_notify_url(watch.url + "/secret?token=secret"), OUTCOME)

    assert problem is not None
    assert says in problem
    assert f"{watch.url}: " in problem
    assert "secret" not in problem
    assert len(watch.got) == tries


def test_a_watch_that_is_not_there_or_silent_does_not_hold_us_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notify, "_WAITS", ())
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = parse_notify_url(f"http://127.0.0.1:{silent.getsockname()[1]}/x")

        assert "connection refused" in (post_outcome(url, OUTCOME) or "")

        silent.listen()
        monkeypatch.setattr(notify, "TIMEOUT", 0.2)
        assert "no answer in 0 seconds" in (post_outcome(url, OUTCOME) or "")
        monkeypatch.setattr(notify, "DEADLINE", 0.1)
        assert "no answer in 0 seconds" in (post_outcome(url, OUTCOME) or "")


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.org/secret", "ftp://example.org/secret", "file:///etc/secret", "https://"),
        *("http://exa mple/secret", "http://x:99999/secret", "http://x/\r\nsecret: 1", "http://["),
        *("https://x/secret/{uuid}", "https://x/secret/{}"),
    ],
)
def test_an_address_that_cannot_be_meant_is_refused_before_the_job(text: str) -> None:
    with pytest.raises(UsageError, match="notify URL") as caught:
        parse_notify_url(text)

    assert "secret" not in f"{caught.value.text} {caught.value.hint}"


def test_an_address_is_not_shown() -> None:
    assert repr(parse_notify_url("https://u:pw@hc.example/secret")) == (
        "NotifyUrl('https://hc.example')"
    )
