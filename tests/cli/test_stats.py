"""`chatdb stats` prints one report in every format, and its parts alone."""

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chatdb.cli.charts import bar, heat_map, scale
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.operations.conversation_rows import add_conversation, add_organization

HOSTILE = "\x1b[31m[red]x[/red]\u202e\n=1+1"


@pytest.fixture
def chats(sqlite_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrl:
    """Two organizations with a user each, on SQLite: the operation's tests use both databases."""
    with Database.open(sqlite_url) as database:
        add_organization(database, "acme")
        add_conversation(database, ["one", "two", "three"], user_id=HOSTILE, title=HOSTILE)
        add_conversation(database, ["four"], number=2, organization="acme", user_id="ann")
    monkeypatch.setenv("DATABASE_URL", sqlite_url.exposed())
    return sqlite_url


@pytest.mark.usefixtures("chats")
def test_json_is_one_object_with_every_part(run: Any) -> None:
    report = json.loads(run("stats", "--format", "json").stdout)

    assert list(report) == [
        *("by", "organization", "since", "until", "timezone", "approximate", "sampled", "totals"),
        *("groups", "has_more", "longest_conversations", "busiest_hours", "storage"),
    ]
    assert report["totals"] == {"conversations": 2, "messages": 4, "characters": 15}
    assert report["groups"][0] == {
        "key": "2025-01-02",
        "conversations": 1,
        "messages": 3,
        "characters": 11,
    }
    assert report["busiest_hours"] == [
        {"weekday": 4, "hour": 12, "messages": 3},
        {"weekday": 5, "hour": 12, "messages": 1},
    ]
    assert report["longest_conversations"][0]["title"] == HOSTILE
    assert {"table", "name", "kind", "bytes", "rows"} == set(report["storage"][0])


@pytest.mark.usefixtures("chats")
def test_csv_and_json_lines_hold_the_groups_or_the_part_asked_for(run: Any) -> None:
    groups = run("stats", "--by", "user", "--format", "csv")
    hours = run("stats", "--section", "hours", "--format", "jsonl")
    longest = run("stats", "--section", "longest", "--format", "json", "--org", "acme")

    rows = list(csv.DictReader(io.StringIO(groups.stdout)))
    assert [(row["key"], row["messages"]) for row in rows] == [(HOSTILE, "3"), ("ann", "1")]
    assert "--section selects another part" in groups.stderr
    assert [json.loads(line)["messages"] for line in hours.stdout.splitlines()] == [3, 1]
    assert hours.stderr == ""
    assert [each["organization"] for each in json.loads(longest.stdout)] == ["acme"]


@pytest.mark.usefixtures("chats")
def test_a_cut_list_says_so(run: Any) -> None:
    cut = run("stats", "--limit", "1")

    assert "the newest 1; --limit shows more" in cut.stderr


@pytest.mark.usefixtures("chats")
def test_what_cannot_be_meant_is_a_usage_error(run: Any) -> None:
    assert run("stats", "--timezone", "Mars").exit_code == 2
    assert run("stats", "--since", "soon").exit_code == 2
    assert run("stats", "--by", "colour").exit_code == 2
    assert run("stats", "--org", "nobody").exit_code == 5


@pytest.mark.usefixtures("chats")
def test_since_is_a_day_of_the_time_zone(run: Any) -> None:
    def messages(zone: str) -> int:
        words = ("--since", "2025-01-03T13:00", "--timezone", zone, "--format", "json")
        total: int = json.loads(run("stats", *words).stdout)["totals"]["messages"]
        return total

    assert (messages("UTC"), messages("Europe/Berlin")) == (0, 1)


def test_the_report_fits_the_terminal_and_nothing_in_it_acts(
    run_on_terminal: Any, chats: DatabaseUrl
) -> None:
    env = {"DATABASE_URL": chats.exposed()}
    words = ("stats", "--by", "user", "--no-color", "--quiet")
    plain = run_on_terminal(*words, columns=60, env=env)

    assert plain.exit_code == 0
    assert max(map(len, plain.stdout.splitlines())) <= 60
    assert "\x1b[31m" not in plain.stdout
    assert "\u202e" not in plain.stdout
    assert "[red]x[/red] =1+1" in plain.stdout


def test_a_heat_map_is_plain_without_colour_and_bright_with_it() -> None:
    values = {(1, 0): 1, (1, 1): 100, (7, 23): 50}

    plain = list(heat_map(values, color=False))
    bright = list(heat_map(values, color=True))

    assert len(plain) == len(bright) == 8
    assert plain[1] == "Mon ··██"
    assert plain[2] == "Tue"
    assert plain[7] == "Sun " + "  " * 23 + "▒▒"
    assert bright[1].startswith("Mon \x1b[38;5;240m··\x1b[0m\x1b[38;5;51m██\x1b[0m")
    assert max(map(len, plain)) <= 60
    assert scale(100, color=False) == "messages: · 1-20  ░ 21-40  ▒ 41-60  ▓ 61-80  █ 81-100"
    assert scale(2, color=False) == "messages: ▒ 1  █ 2"


def test_a_bar_is_as_long_as_its_share_and_never_nothing_for_something() -> None:
    assert (bar(0, 10, 8), bar(10, 10, 8), bar(5, 10, 8)) == ("", "█" * 8, "█" * 4)
    assert bar(1, 10_000_000, 8) == "▏"
    assert bar(1, 2, 3) == "█▌"
    assert (bar(0, 0, 8), bar(3, 3, 0)) == ("", "")


def test_times_of_the_future_are_counted_like_others(run: Any, chats: DatabaseUrl) -> None:
    with Database.open(chats) as database:
        add_conversation(database, ["x"], number=365 * 10)

    report = json.loads(run("stats", "--format", "json", "--limit", "1").stdout)

    assert report["groups"][0]["key"] > f"{datetime.now(UTC):%Y}"
