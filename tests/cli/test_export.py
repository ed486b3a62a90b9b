"""`chatdb export` as people run it."""

import gzip
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import zstandard

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.cli.conftest import command_line, process_environment
from tests.operations.export_rows import conversation, every_shape, insert, message

Runner = Callable[..., Any]
LARGE = 4_000


def fill(url: DatabaseUrl, count: int = 3, size: int = 20) -> None:
    with Database.open(url) as database:
        insert(
            database,
            [
                conversation(n, [message(1, f"message {n} " + "x" * size)], title=f"Chat {n}")
                for n in range(1, count + 1)
            ],
        )


@pytest.fixture
def url(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrl:
    """A database with three conversations, which the command finds by itself."""
    fill(database_url)
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    return database_url


@pytest.fixture
def lite(sqlite_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrl:
    """The same on SQLite only, for what has nothing to do with the database."""
    fill(sqlite_url)
    monkeypatch.setenv("DATABASE_URL", sqlite_url.exposed())
    return sqlite_url


@pytest.mark.usefixtures("url")
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


@pytest.mark.usefixtures("url")
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
        (("--since", "yesterday"), 2, "--since"),
        (("--until", "9999-12-31"), 2, "--until"),
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


@pytest.mark.usefixtures("url")
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


@pytest.mark.corpus
@pytest.mark.postgresql
@pytest.mark.parametrize("folder", ["chatgpt", "claude-ai"])
def test_real_exports_go_around_both_databases(
    run: Runner, corpus: Path, folder: str, postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    files = sorted(path for path in (corpus / folder).iterdir() if path.suffix in (".json", ".zip"))
    for path in files:
        assert run("import", str(path), "-d", f"sqlite:///{tmp_path}/a.db").exit_code in (0, 1, 7)
        assert run("import", str(path), "-d", postgresql_url.exposed()).exit_code in (0, 1, 7)
    chain = [f"sqlite:///{tmp_path}/{name}.db" for name in "abc"]
    for source, target in ((chain[0], chain[1]), (postgresql_url.exposed(), chain[2])):
        assert run("export", "-o", "x.jsonl", "--force", "-d", source).exit_code == 0
        assert run("import", "x.jsonl", "-d", target).exit_code == 0

    outputs = [
        run("export", "-d", name).stdout_bytes for name in (*chain, postgresql_url.exposed())
    ]

    bodies = {output.split(b"\n", 1)[1] for output in outputs}
    assert len(bodies) == 1
    assert bodies.pop().count(b"\n") > 0


def test_head_ends_the_export_quietly(sqlite_url: DatabaseUrl) -> None:
    fill(sqlite_url, LARGE // 10, 2000)
    words = [*command_line("export", "-d", sqlite_url.exposed())]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        stderr = process.stderr.read()

    assert process.returncode == 0
    assert stderr == b""


def slow_export(url: DatabaseUrl, output: Path) -> "subprocess.Popen[bytes]":
    """Start an export and return when its partial file is there and growing."""
    words = command_line("export", "-d", url.exposed(), "--output", str(output))
    process = subprocess.Popen(words, stderr=subprocess.PIPE, env=process_environment())
    partial = output.with_name(output.name + ".partial")
    ends = time.monotonic() + 30
    while not partial.exists() and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.002)
    return process


@pytest.fixture
def large(sqlite_url: DatabaseUrl) -> DatabaseUrl:
    """A database whose compressed export takes a while."""
    with Database.open(sqlite_url) as database:
        text = os.urandom(3_000_000).hex()
        insert(database, [conversation(n, [message(1, text)]) for n in range(1, 6)])
    return sqlite_url


def test_ctrl_c_removes_the_partial_file(large: DatabaseUrl, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl.gz"
    process = slow_export(large, output)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert not list(tmp_path.glob("out*"))


def test_kill_9_leaves_only_the_partial_file(large: DatabaseUrl, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl.gz"
    process = slow_export(large, output)

    process.kill()
    process.communicate(timeout=30)

    assert [path.name for path in tmp_path.glob("out*")] == ["out.jsonl.gz.partial"]
    done = subprocess.run(
        command_line("export", "-d", large.exposed(), "--user", "x", "-o", str(output)),
        env=process_environment(),
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0
    assert [path.name for path in tmp_path.glob("out*")] == ["out.jsonl.gz"]


@pytest.mark.postgresql
def test_a_database_that_goes_away_is_told(postgresql_url: DatabaseUrl, postgres: Any) -> None:
    fill(postgresql_url, 300, 60_000)
    words = command_line("export", "-d", postgresql_url.exposed())
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1000)
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{postgresql_url.database}'"
        )
        process.stdout.read()
        stderr = process.stderr.read()

    assert process.returncode == 3
    assert b"no connection" in stderr
    assert b"Traceback" not in stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.usefixtures("lite")
def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command_line("export"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=process_environment(),
            check=False,
        )

    assert done.returncode == 1
    assert b"no space left" in done.stderr.lower()
    assert b"Traceback" not in done.stderr


def test_a_disk_that_fills_up_leaves_nothing(large: DatabaseUrl, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = subprocess.run(
        command_line("export", "-d", large.exposed(), "-o", str(tmp_path / "out.jsonl")),
        stderr=subprocess.PIPE,
        env=process_environment(),
        preexec_fn=small_files,
        check=False,
    )

    assert done.returncode == 1
    assert b"cannot be written" in done.stderr
    assert not list(tmp_path.glob("out*"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.usefixtures("lite")
def test_a_read_only_folder_is_told(run: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)

    result = run("export", "--output", str(folder / "out.jsonl"))

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_terminal_gets_safe_text(run_on_terminal: Runner, sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, [conversation(1, [message(1, "a\x1b]0;x\x07b\u202ec\x9b")])])

    for to in ("markdown", "json"):
        result = run_on_terminal("export", "-d", sqlite_url.exposed(), "--to", to)

        assert result.exit_code == 0
        assert not set("\x1b\x07\u202e\x9b") & set(result.stdout)


def test_memory_does_not_grow_with_the_number_of_conversations(sqlite_url: DatabaseUrl) -> None:
    program = (
        "import resource, sys; from chatdb.cli.app import app;"
        "app(sys.argv[1:], standalone_mode=False);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )

    def peak() -> int:
        done = subprocess.run(
            [sys.executable, "-c", program, "-q", "export", "-d", sqlite_url.exposed()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=process_environment(),
            check=True,
        )
        return int(done.stderr.split()[-1])

    small = peak()
    fill(sqlite_url, LARGE // 2, 20_000)

    assert peak() < small * 1.3
