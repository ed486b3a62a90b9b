"""`chatdb search`: what it prints, and what it does with hostile text."""

import json
import shlex
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len

from chatdb.db.database import Database
from tests.cli.conftest import Run
from tests.operations.conversation_rows import add_conversation, change_message, message_id

HOSTILE = (
    "\x1b]8;;http://evil.example\x07click\x1b]8;;\x07 \x1b]52;c;ZXZpbA==\x07 \x1b[31m\x9b2J"
    " \u202egnp.exe [red]markup[/red] apple"
)

Command = Callable[..., Any]


@pytest.fixture
def command(run: Command, database: Database) -> Command:
    """Run a command on a database with three messages about apples."""
    add_conversation(database, ["an apple a day", "apple pie"], title="Fruit [x]", user_id="ann")
    add_conversation(database, ["the apple\n\ntree"], number=2, title="Garden")

    def on_database(*words: str, **options: Any) -> Any:
        return run("--database-url", database.url.exposed(), *words, **options)

    return on_database


def test_hits_stand_under_their_conversation(command: Command) -> None:
    result = command("search", "apple")

    assert result.exit_code == 0
    assert result.stdout == (
        "Garden · 00000002\n"
        "  001e8480 user 2025-01-03 12:00, 1 of 1  the apple tree\n"
        "Fruit [x] · ann · 00000001\n"
        "  000f4241 assistant 2025-01-02 12:01, 2 of 2  apple pie\n"
        "  000f4240 user 2025-01-02 12:00, 1 of 2  an apple a day\n"
    )
    assert result.stderr == ""


def test_json_has_the_places_of_the_words(command: Command) -> None:
    hits = json.loads(command("search", "tree", "--format", "json").stdout)

    assert [sorted(hit) for hit in hits] == [
        sorted(
            [
                *("conversation_id", "title", "user_id", "message_id", "role", "author"),
                *("model", "created_at", "snippet", "highlights", "score", "kind"),
                *("position", "number", "messages", "offsets", "attached_offsets", "context"),
            ]
        )
    ]
    assert hits[0]["snippet"] == "the apple tree"
    assert hits[0]["highlights"] == [[10, 14]]
    assert hits[0]["offsets"] == [[11, 15]]
    assert (hits[0]["position"], hits[0]["number"], hits[0]["messages"]) == (0, 1, 1)


def test_a_cut_list_names_the_way_on(command: Command) -> None:
    first = command("search", "apple", "--limit", "1", "--format", "jsonl")
    cursor = first.stderr.partition("--after ")[2].split()[0]
    second = command("search", "apple", "--limit", "5", "--after", cursor, "--format", "jsonl")

    assert "there are more than 1" in first.stderr
    assert [json.loads(line)["snippet"] for line in second.stdout.splitlines()] == [
        "apple pie",
        "an apple a day",
    ]


def test_context_stands_around_each_hit_one_line_each(command: Command, database: Database) -> None:
    texts = ["the\nfirst " * 40, "a plum", "\x1b[31mlast\u202e", "more plum"]
    add_conversation(database, texts, number=3, title="Stones")

    shown = command("search", "plum", "-C", "2", "--role", "assistant")
    (_, hit) = json.loads(command("search", "plum", "--context", "1", "--format", "json").stdout)
    titles = command("search", "in:title", "stones", "-C", "1")

    assert shown.stdout == (
        "Stones · 00000003\n"
        "    assistant: a plum\n"
        "    user: last\n"
        "  002dc6c3 assistant 2025-01-04 12:03, 4 of 4  more plum\n"
        "\n"
        f"    user: {('the first ' * 40)[:99].rstrip()}…\n"
        "  002dc6c1 assistant 2025-01-04 12:01, 2 of 4  a plum\n"
        "    user: last\n"
        "    assistant: more plum\n"
    )
    assert [each["distance"] for each in hit["context"]] == [-1, 1]
    assert hit["context"][1] == {
        "distance": 1,
        "id": "00000000-0000-0000-0000-0000002dc6c2",
        "role": "user",
        "excerpt": texts[2],
    }
    assert "  title 2025-01-04 12:00  Stones\n" in titles.stdout


def test_nothing_found_is_no_error(command: Command) -> None:
    result = command("search", "nowhere", "--format", "json")

    assert (result.exit_code, result.stdout) == (0, "[]\n")
    assert "nothing found; to search titles: in:title" in result.stderr
    assert "hint: appl* finds longer words" in command("search", "appl", "day").stderr
    assert "hint" not in command("search", "appl", "nowhere").stderr


@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        (["..."], 2, "no word to search for"),
        (["--", "-bus"], 2, "only excludes words"),
        (["x", "--role", "boss"], 2, "unknown role 'boss'"),
        (["x", "--after", "y"], 2, "not a cursor"),
        (["x", "--limit", "0"], 2, "--limit"),
        (["x", "-C", "21"], 2, "--context"),
        (["x", "--org", "nobody"], 5, "no organization"),
    ],
)
def test_mistakes_are_named(command: Command, words: list[str], exit_code: int, text: str) -> None:
    result = command("search", *words)

    assert result.exit_code == exit_code
    assert text in result.stderr
    assert result.stdout == ""


def test_options_filter_as_the_language_does(command: Command) -> None:
    by_option = command("search", "apple", "--user", "ann", "--role", "user")
    by_language = command("search", "apple", "user:ann", "role:user")

    assert by_option.stdout == by_language.stdout
    assert "an apple a day" in by_option.stdout


def test_hostile_text_does_nothing_on_a_terminal(
    sqlite_database: Database, run_on_terminal: Run
) -> None:
    add_conversation(sqlite_database, [HOSTILE], title=HOSTILE)
    url = sqlite_database.url.exposed()

    shown = run_on_terminal("search", "apple", "-d", url, columns=60, env={"PAGER": "cat"}).stdout

    assert "[red]markup[/red]" in shown
    for harmful in ("\x1b]", "\x07", "\x9b", "\u202e", "\x1b[31m"):
        assert harmful not in shown
    assert "\x1b[1;33mapple" in shown


def test_lines_stay_whole_on_a_terminal_and_the_way_on_opens_the_hit(
    sqlite_database: Database, run_on_terminal: Run
) -> None:
    texts = [
        "面包发酵需要多长时间。" * 30,
        "发酵 apple 大约四个小时。" * 9,
        "كيف أحافظ على " * 20,
        HOSTILE,
    ]
    add_conversation(sqlite_database, texts, title="混合", user_id="ann")
    add_conversation(sqlite_database, ["apple one", "apple two"], number=2)
    change_message(sqlite_database, message_id(2, 1), parent_id=None)
    url = sqlite_database.url.exposed()
    words = ("search", "apple", "-C", "2", "--org", "default", "--user", "ann", "-d", url)

    for columns in (60, 80, 120):
        shown = run_on_terminal(*words, columns=columns, env={"PAGER": "cat", "NO_COLOR": "1"})
        lines, _, command = shown.stdout.replace("\r", "").partition("note: ")
        assert "\x1b" not in shown.stdout
        assert lines.count("    user: ") == 3
        assert max(cell_len(line) for line in lines.splitlines()) <= columns
    line = command.partition("place: ")[2]
    assert "show 00000001 --at 000f4243 --org default --user ann" in line
    opened = run_on_terminal(*shlex.split(line)[1:], env={"PAGER": "cat", "NO_COLOR": "1"}).stdout
    assert "→ assistant" in opened


def test_hostile_text_does_nothing_in_a_pipe_either(command: Command, database: Database) -> None:
    add_conversation(database, [HOSTILE], number=3, title=HOSTILE)

    shown = command("search", "markup").stdout

    assert "\x1b" not in shown
    assert "\u202e" not in shown
