"""One limit of depth: what comes in at it goes out and comes in again; what is deeper is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.primitives.nesting import MAX_DEPTH
from tests.cli.importing import count_of

Invoke = Callable[..., Any]

AT = '"created_at":"2025-01-01T00:00:00Z"'
TOO_DEEP = "nested too deeply: more than 1,000 levels"


def nested(depth: int, opening: str = "[") -> str:
    """Return JSON of so many levels."""
    if opening == "[":
        return "[" * depth + "]" * depth
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


def identifier(number: int) -> str:
    return f"{number:08}-3333-4333-8333-000000000000"


def line(number: int, *, own: str = "", message: str = "") -> str:
    """Return a native line; `own` and `message` are more fields of them."""
    talk = (
        f'"id":"{identifier(number)}","title":"c{number}",{AT},"updated_at":"2025-01-01T00:00:00Z"'
    )
    said = f'{{"id":"{identifier(number)}","role":"user","content":"hello {number}",{AT}{message}}}'
    return f'{{{talk},"messages":[{said}]{own}}}\n'


def native(path: Path, *lines: str) -> Path:
    path.write_text('{"format":"chatdb","version":1}\n' + "".join(lines))
    return path


def chatgpt(deep: str) -> str:
    """Return a list of three conversations, the second with a deep value in its message."""
    talks: list[dict[str, Any]] = []
    for name in "abc":
        metadata = {"extra": "DEEP"} if name == "b" else {"extra": 1}
        said: dict[str, Any] = {"id": "m", "author": {"role": "user"}, "metadata": metadata}
        said["content"] = {"content_type": "text", "parts": [f"hello {name}"]}
        node: dict[str, Any] = {"id": "m", "parent": None, "children": []}
        node["message"] = said
        talk = {"id": name, "conversation_id": name, "create_time": 1.7e9, "update_time": 1.7e9}
        talks.append({**talk, "title": name, "current_node": "m", "mapping": {"m": node}})
    return json.dumps(talks).replace('"DEEP"', deep)


@pytest.fixture
def url(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrl:
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    return database_url


FIELDS = [
    ("own", ',"metadata":{"x":%s}', MAX_DEPTH - 1),
    ("own", f',"snapshots":[{{"id":"{identifier(9)}","state":%s,{AT}}}]', MAX_DEPTH),
    ("message", ',"metadata":{"x":%s}', MAX_DEPTH - 1),
    ("message", ',"tool_calls":%s', MAX_DEPTH),
]


@pytest.mark.large
@pytest.mark.parametrize("opening", ["[", "{"])
@pytest.mark.parametrize(("where", "field", "most"), FIELDS)
def test_a_value_at_the_limit_goes_in_and_out_and_in_again(
    where: str, field: str, most: int, opening: str, url: DatabaseUrl, run: Invoke
) -> None:
    first = native(Path("in.jsonl"), line(1, **{where: field % nested(most, opening)}))

    done = run("import", first)
    exported = run("export", "--output", "out.jsonl")
    again = run("import", "out.jsonl", "--format", "json")
    converted = run("convert", "out.jsonl", "again.jsonl")
    shown = run("messages", "list", "last", "--format", "json")

    codes = [each.exit_code for each in (done, exported, again, converted, shown)]
    assert codes == [0] * 5, (done, exported, again, converted, shown)
    assert json.loads(again.stdout)["unchanged"] == 1
    out, back = Path("out.jsonl").read_text(), Path("again.jsonl").read_text()
    assert out.splitlines()[1] == back.splitlines()[1]
    assert nested(most, opening) in out
    assert count_of(url) == 1


@pytest.mark.large
@pytest.mark.parametrize("beyond", [1, 300, 5000])
@pytest.mark.parametrize(("where", "field", "most"), FIELDS)
def test_what_is_deeper_is_named_and_what_follows_is_read(
    where: str, field: str, most: int, beyond: int, url: DatabaseUrl, run: Invoke
) -> None:
    deep = line(2, **{where: field % nested(most + beyond)})
    path = native(Path("in.jsonl"), line(1), deep, line(3))

    done = run("import", path)
    explained = run("import", path, "--explain")
    converted = run("convert", path, "out.jsonl")

    for each in (done, explained, converted):
        assert each.exit_code == 7
        assert TOO_DEEP in each.stderr
    assert count_of(url) == 2
    assert len(Path("out.jsonl").read_text().splitlines()) == 3


@pytest.mark.large
@pytest.mark.parametrize("depth", [MAX_DEPTH, 1300, 5000, 100_000])
def test_a_deep_entry_of_an_export_is_named_and_what_follows_is_read(
    depth: int, url: DatabaseUrl, run: Invoke
) -> None:
    path = Path("export.json")
    path.write_text(chatgpt(nested(depth)))

    done = run("import", path)

    assert done.exit_code == 7
    assert TOO_DEEP in done.stderr
    assert count_of(url) == 2


def test_chat_files_and_their_messages_have_the_same_limit(url: DatabaseUrl, run: Invoke) -> None:
    folder = Path("talks")
    folder.mkdir()
    for name, depth in (("a", 5), ("b", 1500), ("c", 50_000)):
        talk = f'[{{"role":"user","content":"hello {name}","meta":{{"x":{nested(depth)}}}}}]'
        (folder / f"{name}.json").write_text(talk)

    done = run("import", folder)

    assert done.exit_code == 7
    assert done.stderr.count("nested too deeply") == 2
    assert count_of(url) == 1


@pytest.mark.usefixtures("url")
def test_commands_take_no_deeper_values_than_files(run: Invoke) -> None:
    run("import", native(Path("in.jsonl"), line(1)))
    most, deeper = nested(MAX_DEPTH), nested(MAX_DEPTH + 1)
    new = '{"content":"x","tool_calls":%s}'

    taken = [
        run("messages", "add", "last", "--json", "-", input=new % nested(MAX_DEPTH - 1)),
        run("snapshots", "save", "last", "-", input=most),
        run("snapshots", "show", "last", "--format", "json"),
    ]
    refused = [
        run("messages", "add", "last", "--json", "-", input=new % deeper),
        run("messages", "add", "last", "--json", "-", input=new % nested(20_000)),
        run("snapshots", "save", "last", "-", input=deeper),
    ]

    assert [each.exit_code for each in taken] == [0, 0, 0], taken
    assert all(each.exit_code in (1, 2) for each in refused), refused
    assert all("nested too deeply" in each.stderr for each in refused)
    assert run("export", "--output", "out.jsonl").exit_code == 0
    again = run("import", "out.jsonl", "--format", "json")
    assert json.loads(again.stdout)["unchanged"] == 1
