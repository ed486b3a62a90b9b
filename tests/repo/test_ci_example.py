"""The examples of docs/how-to/ci.md are valid, and their commands do what they say."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from chatdb.db.url import DatabaseUrl

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/how-to/ci.md").read_text()
GITHUB, GITLAB = (
    yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
)


def chatdb_commands(lines: Iterator[str]) -> list[list[str]]:
    """Return the word lists of the lines that call chatdb."""
    return [shlex.split(line)[1:] for line in lines if line.startswith("chatdb ")]


def github_commands() -> list[list[str]]:
    steps = GITHUB["jobs"]["smoke-test"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    return chatdb_commands(line.strip() for script in scripts for line in script.splitlines())


def test_the_commands_for_github_pass_on_a_new_server(
    run: Any, empty_postgresql_url: DatabaseUrl
) -> None:
    commands = github_commands()

    assert [words[0] for words in commands] == ["migrate", "schema", "seed", "smoke-test"]
    for words in commands:
        result = run(*words, env={"DATABASE_URL": empty_postgresql_url.exposed()})
        assert result.exit_code == 0, (words, result.stderr)
    (kept,) = (
        step["with"]["path"]
        for step in GITHUB["jobs"]["smoke-test"]["steps"]
        if "upload-artifact" in step.get("uses", "")
    )
    assert Path(kept).is_file()


def test_the_other_commands_are_among_those_for_github() -> None:
    known = [words[:2] for words in github_commands()]
    gitlab = chatdb_commands(iter(GITLAB["smoke-test"]["script"]))
    elsewhere = [shlex.split(line) for line in re.findall(r"(?m)^\$ chatdb (.*)$", TEXT)]

    assert len(gitlab) == len(elsewhere) == 2
    assert all(words[:2] in known for words in gitlab + elsewhere)
    report = GITLAB["smoke-test"]["artifacts"]["reports"]["junit"]
    assert [words[2] for words in (gitlab[-1], elsewhere[-1])] == [report] * 2


def test_the_workflow_is_one_that_github_runs() -> None:
    job = GITHUB["jobs"]["smoke-test"]
    service = job["services"]["postgres"]
    url = job["env"]["DATABASE_URL"]

    assert set(GITHUB) == {"name", True, "permissions", "jobs"}  # YAML reads `on` as true
    assert set(GITHUB[True]) == {"push", "pull_request"}
    assert all(("run" in step) != ("uses" in step) for step in job["steps"])
    assert service["ports"] == ["5432:5432"]
    assert "pg_isready -h 127.0.0.1" in service["options"]
    login = (service["env"][f"POSTGRES_{name}"] for name in ("USER", "PASSWORD", "DB"))
    assert url == "postgresql://{}:{}@127.0.0.1:5432/{}".format(*login)
