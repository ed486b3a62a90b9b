"""`--kind`: lists and figures are of chats, a search finds all and says what each is."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.operations.conversation_rows import add_conversation

Run = Callable[..., Any]
KINDS = ("chat", "document", "memory", "canvas")


@pytest.fixture
def url(database_url: DatabaseUrl) -> str:
    with Database.open(database_url) as database:
        for number, kind in enumerate(KINDS, 1):
            texts = ["the lantern"] * number
            add_conversation(database, texts, number=number, title=f"A {kind}", kind=kind)
    return database_url.exposed()


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ((), ["A chat"]),
        (("--kind", "document"), ["A document"]),
        (("--kind", "memory", "--kind", "Canvas"), ["A canvas", "A memory"]),
        (("--kind", "all"), ["A canvas", "A memory", "A document", "A chat"]),
        (("--kind", "document", "--sort", "title"), ["A document"]),
    ],
)
def test_a_list_is_of_chats_unless_others_are_asked_for(
    run: Run, url: str, words: tuple[str, ...], titles: list[str]
) -> None:
    found = json.loads(run("conversations", "list", *words, "--format", "json", "-d", url).stdout)

    assert [each["title"] for each in found] == titles
    assert all(each["title"] == f"A {each['kind']}" for each in found)


def test_an_empty_list_says_that_there_are_other_kinds(run: Run, url: str) -> None:
    run("conversations", "delete", "--kind", "chat", "--yes", "--no-keep", "-d", url)

    done = run("conversations", "list", "-d", url)

    assert done.exit_code == 0
    assert "there are some of another kind: --kind all" in done.stderr
    assert "archived" not in done.stderr


def test_an_empty_list_says_which_option_hides_what_is_there(run: Run, url: str) -> None:
    chat = json.loads(run("list", "--format", "json", "-d", url).stdout)[0]["id"]
    run("conversations", "archive", chat, "-d", url)

    for words in (
        ("--title", "chat"),
        ("--title", "chat", "--kind", "all"),
        ("--query", "lantern"),
    ):
        assert "there are archived ones: --all" in run("list", *words, "-d", url).stderr
    assert "archived" not in run("list", "--archived", "--title", "nothing", "-d", url).stderr
    never = "there are some that were never accessed: leave out --recent"
    assert never in run("list", "--recent", "--all", "-d", url).stderr


def test_an_unknown_kind_names_those_there_are(run: Run, url: str) -> None:
    done = run("conversations", "list", "--kind", "note", "-d", url)

    assert done.exit_code == 2
    assert "chat, document, memory, canvas" in done.stderr


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        ((), (1, 1)),
        (("--kind", "canvas"), (1, 4)),
        (("--kind", "chat", "--kind", "memory"), (2, 4)),
        (("--kind", "all"), (4, 10)),
        (("--kind", "document", "--org", "default"), (1, 2)),
        (("--kind", "all", "--since", "2025-01-04"), (2, 7)),
        (("--since", "2025-01-01"), (1, 1)),
    ],
)
def test_figures_are_of_chats_unless_others_are_asked_for(
    run: Run, url: str, words: tuple[str, ...], counts: tuple[int, int]
) -> None:
    report = json.loads(run("stats", *words, "--format", "json", "-d", url).stdout)

    totals = report["totals"]
    assert (totals["conversations"], totals["messages"]) == counts


def test_figures_can_be_by_kind(run: Run, url: str) -> None:
    report = json.loads(run("stats", "--by", "kind", "--format", "json", "-d", url).stdout)

    assert {each["key"]: each["messages"] for each in report["groups"]} == {
        kind: number for number, kind in enumerate(KINDS, 1)
    }


def test_a_search_finds_all_and_says_the_kind(run: Run, url: str) -> None:
    found = json.loads(run("search", "lantern", "--format", "json", "-d", url).stdout)
    told = run("search", "lantern", "-d", url).stdout
    titles = json.loads(run("search", "in:title", "a", "--format", "json", "-d", url).stdout)

    assert {each["kind"] for each in found} == {each["kind"] for each in titles} == set(KINDS)
    headings = [line.split(" · ")[:-1] for line in told.splitlines() if not line.startswith(" ")]
    assert ["A memory", "memory"] in headings
    assert ["A chat"] in headings


def test_an_export_has_all_kinds_or_those_that_are_named(run: Run, url: str) -> None:
    def exported(*words: str) -> set[str]:
        done = run("export", "--output", "-", "-d", url, *words)
        lines = map(json.loads, done.stdout.splitlines()[1:])
        return {each.get("kind", "chat") for each in lines}

    assert exported() == set(KINDS)
    assert exported("--kind", "memory") == {"memory"}


def test_a_deletion_can_be_of_a_kind(run: Run, url: str) -> None:
    done = run("conversations", "delete", "--kind", "memory", "--yes", "--no-keep", "-d", url)

    left = json.loads(
        run("conversations", "list", "--kind", "all", "--format", "json", "-d", url).stdout
    )
    assert done.exit_code == 0, done.stderr
    assert {each["kind"] for each in left} == set(KINDS) - {"memory"}
