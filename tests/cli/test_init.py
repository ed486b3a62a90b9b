"""`chatdb init` and `env-template` write what a project needs, and never over what is there."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chatdb.operations.dev_db.project_files import IGNORED
from chatdb.variables import env_template
from tests.programs import COMPOSE_PLUGIN, leave_out, program
from tests.servers.container_engine import COMPOSE_KINDS

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = ROOT / "chatdb/project_files/docker-compose.production.yml"
DEVELOPMENT = ["docker-compose.dev.yml", ".env.example"]
SECRETS = {
    "POSTGRES_USER": "chat",
    "POSTGRES_PASSWORD": "p%@/:w%41 #?$$",
    "POSTGRES_DB": "chat",
    "APP_IMAGE": "registry.example/app:1",
}


def actions(result: Any) -> dict[str, str]:
    """Return what was done to each file."""
    assert result.exit_code == 0, result.stderr
    return {Path(row["path"]).name: row["action"] for row in json.loads(result.stdout)}


def init(run: Any, *words: str) -> dict[str, str]:
    return actions(run("init", *words, "--format", "json"))


def test_init_writes_the_development_files(run: Any) -> None:
    assert init(run) == dict.fromkeys(DEVELOPMENT, "written")
    assert Path(".env.example").read_text() == env_template()
    assert (
        Path("docker-compose.dev.yml").read_text() == (ROOT / "docker-compose.dev.yml").read_text()
    )


def test_init_makes_the_folder_and_says_what_to_type_next(run: Any) -> None:
    result = run("init", "my project")

    assert result.exit_code == 0
    assert Path("my project/.env.example").is_file()
    assert "next: cd 'my project' && chatdb dev-db up" in result.stderr


def test_init_for_production_writes_the_files_for_it_too(run: Any) -> None:
    assert set(init(run, "--production")) == {
        *DEVELOPMENT,
        "docker-compose.production.yml",
        "Dockerfile.chatdb",
    }


def test_a_second_init_changes_nothing(run: Any) -> None:
    init(run, "--production")
    before = {path: path.stat().st_mtime_ns for path in Path().iterdir()}

    assert set(init(run, "--production").values()) == {"unchanged"}
    assert {path: path.stat().st_mtime_ns for path in Path().iterdir()} == before


def test_a_dry_run_writes_nothing_and_reports_the_same(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "new"

    planned = init(run, str(folder), "--production", "--dry-run")

    assert not folder.exists()
    assert planned == init(run, str(folder), "--production")


def test_a_file_that_differs_is_left_alone(run: Any) -> None:
    Path("docker-compose.dev.yml").write_text("services: {}\n")

    result = run("init", "--format", "json")

    assert actions(result)["docker-compose.dev.yml"] == "kept"
    assert Path("docker-compose.dev.yml").read_text() == "services: {}\n"
    assert "--force" in result.stderr


def test_force_replaces_a_file_and_keeps_the_old_one(run: Any) -> None:
    Path("docker-compose.dev.yml").write_text("services: {}\n")

    assert init(run, "--force")["docker-compose.dev.yml"] == "replaced"
    assert Path("docker-compose.dev.yml.old").read_text() == "services: {}\n"
    assert "postgres" in Path("docker-compose.dev.yml").read_text()


def test_force_keeps_the_file_that_was_kept_before(run: Any) -> None:
    file = Path("docker-compose.dev.yml")
    for text in ("first", "second", "second", "third"):
        file.write_text(text)
        assert init(run, "--force")[file.name] == "replaced"

    kept = sorted(Path().glob(f"{file.name}.old*"))
    assert [path.read_text() for path in kept] == ["first", "second", "third"]


def test_a_dry_run_says_once_what_would_be_written(run: Any) -> None:
    done = run("init", "--dry-run")

    assert ".env.example            would be written" in done.stdout
    assert done.stderr == ""
    assert run("init").stdout.count("would be") == 0
    assert run("init", "--dry-run").stdout.count("would be") == 0


@pytest.mark.parametrize("words", [(), ("--force",), ("--dry-run",)], ids=["no", "force", "dry"])
def test_what_is_no_ordinary_file_is_refused_and_not_waited_for(
    run: Any, words: tuple[str, ...]
) -> None:
    os.mkfifo(".env.example")

    result = run("init", *words)

    assert result.exit_code == 1
    assert ".env.example already exists" in result.stderr
    assert Path(".env.example").is_fifo()


def test_a_repository_is_told_to_ignore_what_is_secret(run: Any) -> None:
    git = program("git")
    subprocess.run([git, "init", "--quiet"], check=True)

    assert init(run)[".gitignore"] == "written"
    for name in (
        ".env",
        ".env.partial",
        ".chatdb/run",
        "data/chatdb.db-wal",
        "data/chatdb.db.restoring",
        "data/chatdb.before_0005_20261129T103011123Z.db",
        "data/chatdb_before_restore_20261129T103011Z.db",
        "data/chatdb-deleted/deleted_20261129T103011_123456Z.jsonl",
        "elsewhere/chatdb-deleted/x",
        "elsewhere/chat.before_0005_20261129T103011123Z.db.partial",
        "chat_before_restore_20261129T103011Z_2.db-wal",
        "backups/x",
    ):
        subprocess.run([git, "check-ignore", "--quiet", name], check=True)


def test_the_lines_of_a_gitignore_stay_and_missing_ones_are_named(run: Any) -> None:
    Path(".gitignore").write_text("*.pyc\n/data/\n.env")

    kept = run("init", "--format", "json")
    left = Path(".gitignore").read_text()
    extended = init(run, "--force")

    assert actions(kept)[".gitignore"] == "kept"
    assert left == "*.pyc\n/data/\n.env"
    missing = [line for line in IGNORED if line not in (".env", "data/chatdb.db*")]
    assert f"add to it: {' '.join(missing)} (or" in kept.stderr
    assert extended[".gitignore"] == "extended"
    lines = "".join(f"{line}\n" for line in missing)
    assert Path(".gitignore").read_text() == f"*.pyc\n/data/\n.env\n{lines}"


def test_the_configured_file_is_ignored_wherever_it_lies_in_the_project(
    run: Any, tmp_path: Path
) -> None:
    subprocess.run([program("git"), "init", "--quiet"], check=True)
    Path(".env").write_text("DATABASE_URL=sqlite:///my chats/[all] #1.db\n")

    init(run)

    for name in ("my chats/[all] #1.db", "my chats/[all] #1.db-wal"):
        subprocess.run([program("git"), "check-ignore", "--quiet", name], check=True)
    Path(".env").write_text(f"DATABASE_URL=sqlite:///{tmp_path.parent}/elsewhere.db\n")
    assert init(run)[".gitignore"] == "unchanged"
    Path(".env").write_text("DATABASE_URL=nonsense\n")
    assert init(run)[".gitignore"] == "unchanged"


def test_nothing_that_chatdb_writes_can_be_committed(run: Any) -> None:
    """Without `init`: each folder that chatdb makes has git ignore what is in it."""
    subprocess.run([program("git"), "init", "--quiet"], check=True)
    for words in (
        ("seed", "--org", "default", "--conversations", "5", "--messages", "20"),
        ("backup",),
        ("restore", "latest", "--yes"),
        ("schema", "downgrade", "0004", "--yes"),
        ("migrate",),
        ("conversations", "delete", "last", "--yes"),
    ):
        result = run(*words)
        assert result.exit_code == 0, result.stderr

    there = {path.name for path in Path().rglob("*") if path.is_file() and path.parts[0] != ".git"}
    left = subprocess.run(
        [program("git"), "status", "--short"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert left == ""
    for start in ("chatdb.db", "chatdb.before_", "chatdb_before_restore_", "deleted_"):
        assert any(name.startswith(start) for name in there)


def test_a_folder_that_was_there_gets_no_gitignore(run: Any) -> None:
    for name in ("data", "backups"):
        Path(name).mkdir()

    assert run("migrate").exit_code == 0
    assert run("backup").exit_code == 0

    assert list(Path().rglob(".gitignore")) == []


def test_a_file_in_the_folders_place_is_refused(run: Any) -> None:
    Path("taken").touch()

    assert run("init", "taken").exit_code == 2


def test_env_template_writes_the_file_once(run: Any) -> None:
    first = run("env-template")
    again = run("env-template")

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert Path(".env.example").read_text() == env_template()
    assert "wrote .env.example" in first.stderr
    assert "up to date" in again.stderr


def test_env_template_goes_to_stdout(run: Any) -> None:
    result = run("env-template", "--output", "-")

    assert (result.stdout, result.stderr) == (env_template(), "")
    assert list(Path().iterdir()) == []


def test_env_template_never_overwrites_without_force(run: Any) -> None:
    Path(".env").write_text("DATABASE_URL=sqlite:///mine.db\n")

    refused = run("env-template", "--output", ".env")
    left = Path(".env").read_text()
    forced = run("env-template", "--output", ".env", "--force")

    assert refused.exit_code == 6
    assert left == "DATABASE_URL=sqlite:///mine.db\n"
    assert forced.exit_code == 0
    assert Path(".env.old").read_text() == left


@pytest.fixture(params=COMPOSE_KINDS)
def compose(request: pytest.FixtureRequest) -> list[str]:
    """The words of a Compose program, of version 1 and then of 2 or newer."""
    if request.param == "docker-compose":
        return [program("docker-compose")]
    if COMPOSE_PLUGIN.exists():
        return [str(COMPOSE_PLUGIN)]
    words = [program("docker"), "compose"]
    if subprocess.run([*words, "version"], capture_output=True, check=False).returncode:
        leave_out("docker has no Compose plugin", ".ci/install")
    return words


def config_of(compose: list[str], variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*compose, "-f", "docker-compose.production.yml", "config"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_compose_accepts_the_file_for_production(run: Any, compose: list[str]) -> None:
    init(run, "--production")

    answer = config_of(compose, SECRETS)

    assert answer.returncode == 0, answer.stderr
    assert "service_healthy" in answer.stdout
    assert "registry.example/app:1" in answer.stdout


@pytest.mark.parametrize("missing", sorted(SECRETS))
def test_compose_names_the_credential_that_is_missing(
    run: Any, compose: list[str], missing: str
) -> None:
    init(run, "--production")

    answer = config_of(compose, {k: v for k, v in SECRETS.items() if k != missing})

    assert answer.returncode != 0
    assert f"set {missing}" in answer.stderr


def test_the_file_for_production_holds_no_secret_and_publishes_no_port() -> None:
    lines = [
        line.strip()
        for line in PRODUCTION.read_text().splitlines()
        if not line.strip().startswith("#")
    ]

    assert not [line for line in lines if line.startswith("ports:")]
    passwords = [line for line in lines if "PASSWORD:" in line]
    assert passwords
    assert not [line for line in passwords if ":?" not in line]
