"""What `chatdb dev-db up` is asked for and cannot do: refused before anything is changed."""

from pathlib import Path

import pytest

from tests.cli.dev_projects import Run, status

UP = ("dev-db", "up", "--engine", "embedded")


@pytest.mark.parametrize("port", ["0", "65536", "none", "-1"])
def test_what_is_no_port_is_refused(run: Run, project: Path, port: str) -> None:
    result = run(*UP, f"--port={port}")

    assert result.exit_code == 2
    assert not list((project).glob(".chatdb/postgresql"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHATDB_DEV_USER", "pg_me"),
        ("CHATDB_DEV_USER", "a\tb"),
        ("CHATDB_DEV_USER", 'a"b'),
        ("CHATDB_DEV_USER", "a'b"),
        ("CHATDB_DEV_DATABASE", "ü" * 32),
        ("CHATDB_DEV_DATABASE", "template1"),
        ("CHATDB_DEV_PASSWORD", "two\nlines"),
    ],
)
def test_names_that_cannot_be_are_refused(run: Run, project: Path, name: str, value: str) -> None:
    result = run(*UP, env={name: value})

    assert result.exit_code == 2
    assert "CHATDB_DEV_" in result.stderr
    assert not list((project).glob(".chatdb/postgresql"))


def test_an_engine_that_cannot_run_leaves_the_running_server_alone(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(*UP).exit_code == 0
    before = status(run)
    monkeypatch.setenv("PATH", "/nowhere")

    refused = run("dev-db", "up", "--engine", "compose")

    assert refused.exit_code == 1
    assert "neither Docker nor Podman is installed" in refused.stderr
    after = status(run)
    assert (after["engine"], after["process"]) == ("embedded", before["process"]), project


@pytest.mark.usefixtures("project")
def test_production_is_removed_by_its_name_only_also_while_it_is_stopped(run: Run) -> None:
    run(*UP, "--migrate", "--write-env")
    run("environment", "set", "production")
    removal = ("dev-db", "down", "--volumes", "--yes")

    reset = run("dev-db", "reset", "--yes")
    running = run(*removal)
    run("dev-db", "stop")
    stopped = run(*removal)

    for refused in (reset, running, stopped):
        assert refused.exit_code == 6
        assert "add --confirm chatdb_dev to go ahead" in refused.stderr
    assert run(*removal, "--confirm", "chatdb_dev").exit_code == 0
    assert status(run)["state"] == "absent"
