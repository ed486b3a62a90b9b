"""`chatdb export` as people run it."""

import gzip
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
import zstandard

from chatdb.db.database import Database
from chatdb.db.schema import settings
from chatdb.db.url import DatabaseUrl
from tests.operations.export_rows import conversation, every_shape, insert
from tests.postgres_server import TEMPLATE, PostgresServer

Runner = Callable[..., Any]


@pytest.mark.usefixtures("filled_url")
def test_native_is_the_default_and_goes_to_stdout(run: Runner) -> None:
    result = run("export")

    header, *lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert json.loads(header)["format"] == "chatdb"
    assert [json.loads(line)["title"] for line in lines] == ["Chat 1", "Chat 2", "Chat 3"]


@pytest.mark.usefixtures("lite")
@pytest.mark.parametrize(
    ("name", "start"),
    [("out.jsonl", b'{"format"'), ("out.json", b"[\n{"), ("out.md", b"---\n"), ("x", b'{"format"')],
)
def test_the_name_tells_the_format(run: Runner, name: str, start: bytes) -> None:
    result = run("export", "--output", name)

    assert result.exit_code == 0
    assert result.stdout == ""
    assert "wrote 3 conversations with 3 messages" in result.stderr
    assert Path(name).read_bytes().startswith(start)
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600


@pytest.mark.usefixtures("lite")
def test_compressed_files_hold_the_same(run: Runner) -> None:
    for name in ("a.json", "a.json.gz", "a.json.zst"):
        assert run("export", "--output", name).exit_code == 0

    plain = Path("a.json").read_bytes()
    assert gzip.decompress(Path("a.json.gz").read_bytes()) == plain
    packed = Path("a.json.zst").read_bytes()
    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == plain


@pytest.mark.usefixtures("lite")
def test_an_existing_file_is_replaced_only_by_force(run: Runner) -> None:
    Path("out.jsonl").write_text("mine")

    refused = run("export", "--output", "out.jsonl")

    assert refused.exit_code == 6
    assert "--force" in refused.stderr
    assert Path("out.jsonl").read_text() == "mine"
    assert run("export", "--output", "out.jsonl", "--force").exit_code == 0
    assert Path("out.jsonl").read_text().count("\n") == 4


@pytest.mark.usefixtures("lite")
def test_a_folder_gets_a_file_for_each_conversation(run: Runner) -> None:
    Path("notes").mkdir()
    Path("notes/other.md").write_text("mine")

    result = run("export", "--to", "markdown", "--output", "notes")

    names = sorted(path.name for path in Path("notes").iterdir())
    assert result.exit_code == 0
    assert "in 3 files" in result.stderr
    assert names == [
        f"2026-01-31_chat-1_{'0' * 12}.md",
        f"2026-01-31_chat-2_{UUID(int=2 << 64).hex}.md",
        f"2026-01-31_chat-3_{UUID(int=3 << 64).hex}.md",
        "other.md",
    ]
    assert Path("notes/other.md").read_text() == "mine"


@pytest.mark.usefixtures("lite")
def test_files_of_a_folder_are_kept_named_and_forced(run: Runner) -> None:
    run("export", "--to", "markdown", "--output", "notes/")
    first = min(Path("notes").iterdir())
    first.write_text("mine")

    again = run("export", "--to", "markdown", "--output", "notes/")

    assert again.exit_code == 7
    assert f"{first} exists" in again.stderr
    assert first.read_text() == "mine"
    assert run("export", "--to", "markdown", "--output", "notes/", "--force").exit_code == 0
    assert first.read_text().startswith("---\n")


def test_hostile_titles_stay_inside_the_folder(run: Runner, sqlite_url: DatabaseUrl) -> None:
    titles = ["../../up", "/etc/passwd", "CON", "a" * 5000, "\x00\x1b[2J", ".", "é" * 300, None]
    with Database.open(sqlite_url) as database:
        insert(
            database,
            [
                conversation(n, title=None if title is None else title.replace("\x00", ""))
                for n, title in enumerate(titles, 1)
            ],
        )

    result = run("export", "-d", sqlite_url.exposed(), "--to", "markdown", "--output", "deep/er/")

    assert result.exit_code == 0
    assert len(list(Path("deep/er").iterdir())) == len(titles)
    assert sorted(path.name for path in Path().iterdir()) == ["deep"]


def test_short_ids_that_are_alike_do_not_lose_a_conversation(
    run: Runner, sqlite_url: DatabaseUrl
) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, [conversation(n, title="Same") for n in (1, 2)])

    result = run("export", "-d", sqlite_url.exposed(), "--to", "json", "-o", "d/", "--force")

    assert result.exit_code == 0
    assert len(list(Path("d").iterdir())) == 2


@pytest.mark.usefixtures("filled_url")
def test_conditions_narrow_the_export(run: Runner) -> None:
    def titles(*words: str) -> list[str]:
        result = run("export", "--to", "json", *words)
        assert result.exit_code == 0
        return [each["title"] for each in json.loads(result.stdout)]

    first = str(UUID(int=1 << 64))
    assert titles("--id", first, "--id", "000000000000-0002") == ["Chat 1", "Chat 2"]
    assert titles("--id", first) == ["Chat 1"]
    assert titles("--since", "2026-01-31T12:02:00Z") == ["Chat 2", "Chat 3"]
    assert titles("--until", "2026-01-31T12:02:00") == ["Chat 1", "Chat 2"]
    assert titles("--until", "2026-01-31T17:46:00+05:45") == ["Chat 1"]
    assert titles("--since", "2026-01-31", "--until", "2026-01-31") == [
        "Chat 1",
        "Chat 2",
        "Chat 3",
    ]
    assert titles("--until", "2026-01-30") == []
    assert titles("--user", "nobody") == []
    assert titles("--archived") == []
    assert len(titles("--no-archived")) == 3
    assert titles("--query", '"message 2"') == ["Chat 2"]
    assert titles("--query", '"message 2"', "--id", first) == []


@pytest.mark.usefixtures("lite")
@pytest.mark.parametrize(
    ("to", "expected"), [("json", "[\n\n]\n"), ("markdown", ""), ("jsonl", None)]
)
def test_nothing_matched_is_a_valid_empty_output(
    run: Runner, to: str, expected: str | None
) -> None:
    result = run("export", "--to", to, "--user", "nobody")

    assert result.exit_code == 0
    assert "no conversation matched" in result.stderr
    if expected is None:
        assert result.stdout.count("\n") == 1
    else:
        assert result.stdout == expected


@pytest.mark.usefixtures("lite")
@pytest.mark.parametrize(
    ("words", "exit_code", "text"),
    [
        (("--id", "ffffffff"), 5, "ffffffff"),
        (("--to", "docx"), 2, "docx"),
        (("--since", "soon"), 2, "--since"),
        (("--until", "10000-01-01"), 2, "--until"),
        (("--output", "missing/out.jsonl"), 1, "missing"),
        (("--org", "nobody"), 5, "nobody"),
        (("--query", ""), 2, "query"),
    ],
)
def test_mistakes_are_told(run: Runner, words: tuple[str, ...], exit_code: int, text: str) -> None:
    result = run("export", *words)

    assert result.exit_code == exit_code
    assert text in result.stderr
    assert result.stdout == ""


@pytest.mark.usefixtures("filled_url")
def test_an_export_comes_back_into_an_empty_database(run: Runner, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    assert run("export", "--output", "a.jsonl").exit_code == 0

    assert run("import", "a.jsonl", "-d", other).exit_code == 0
    assert run("export", "--output", "b.jsonl", "-d", other).exit_code == 0

    first, second = (Path(name).read_bytes().split(b"\n", 1) for name in ("a.jsonl", "b.jsonl"))
    assert first[1] == second[1]


@pytest.mark.postgresql
def test_every_shape_goes_around_both_databases(
    run: Runner, sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, every_shape())
    third = f"sqlite:///{tmp_path}/third.db"
    bodies = []
    chain = [sqlite_url.exposed(), postgresql_url.exposed(), third]
    for number, name in enumerate(chain):
        if number:
            assert run("import", f"{number - 1}.jsonl", "-d", name).exit_code == 0
        assert run("export", "-o", f"{number}.jsonl", "-d", name).exit_code == 0
        bodies.append(Path(f"{number}.jsonl").read_bytes().split(b"\n", 1)[1])

    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.large
@pytest.mark.corpus
@pytest.mark.postgresql
@pytest.mark.parametrize("folder", ["chatgpt", "claude-ai"])
def test_real_exports_go_around_both_databases(
    run: Runner,
    corpus: Path,
    folder: str,
    postgres: PostgresServer,
    postgresql_url: DatabaseUrl,
    tmp_path: Path,
) -> None:
    files = sorted(path for path in (corpus / folder).iterdir() if path.suffix in (".json", ".zip"))
    for path in files:
        assert run("import", str(path), "-d", f"sqlite:///{tmp_path}/a.db").exit_code in (0, 1, 7)
        assert run("import", str(path), "-d", postgresql_url.exposed()).exit_code in (0, 1, 7)
    sources = [f"sqlite:///{tmp_path}/a.db", postgresql_url.exposed()]
    outputs = [run("export", "-d", source).stdout_bytes for source in sources]
    for number, output in enumerate(outputs.copy()):
        Path("all.jsonl").write_bytes(output)
        with postgres.new_database(template=TEMPLATE) as empty:
            for target in (f"sqlite:///{tmp_path}/empty{number}.db", empty.exposed()):
                assert run("import", "all.jsonl", "-d", target).exit_code == 0
                outputs.append(run("export", "-d", target).stdout_bytes)

    bodies = {output.split(b"\n", 1)[1] for output in outputs}
    assert len(outputs) == 6
    assert len(bodies) == 1
    assert bodies.pop().count(b"\n") > 0


@pytest.mark.usefixtures("filled_url")
def test_what_a_search_has_to_say_is_said_where_it_narrows_an_export_or_a_list(
    run: Runner, filled_url: DatabaseUrl
) -> None:
    with Database.open(filled_url) as database, database.transaction(write=True) as connection:
        connection.execute(sa.insert(settings).values(key="search_index", value="off"))

    exported = run("export", "--query", "chat", "--output", "found.jsonl")
    listed = run("list", "--query", "chat")

    for result in (exported, listed):
        assert result.exit_code == 0
        assert "there is no search index" in result.stderr
