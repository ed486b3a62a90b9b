"""Errors become text and an exit code in one place."""

import errno
import json
from typing import Any, ClassVar

import pytest
import typer
from typer.testing import CliRunner

from chatdb import errors
from chatdb.cli.boundary import BoundaryGroup
from chatdb.cli.lazy_group import CommandEntry, command_app
from chatdb.cli.options import DataCommand
from chatdb.errors import ExitCode

raised: list[BaseException] = []
app = command_app()


@app.command(cls=DataCommand)
def fail() -> None:
    """Raise what the test has laid ready."""
    raise raised.pop()


class ProbeRoot(BoundaryGroup):
    """A root of its own: the boundary is tested without the real commands."""

    table: ClassVar[dict[str, CommandEntry]] = {
        "fail": CommandEntry(__name__, "Raise what the test has laid.", "Read")
    }


root = typer.Typer(cls=ProbeRoot, rich_markup_mode=None, pretty_exceptions_enable=False)


@root.callback()
def _root() -> None:
    """A root."""


def outcome(error: BaseException, *words: str) -> Any:
    """Run a command that raises the error."""
    raised.append(error)
    return CliRunner().invoke(root, ["fail", *words], prog_name="chatdb")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInputError("x"), 1),
        (errors.StorageError("x"), 1),
        (errors.DatabaseFailedError("x"), 1),
        (errors.DatabaseLockedError("x"), 1),
        (errors.MigrationFailedError("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.ConfigurationError("x"), 2),
        (errors.DatabaseUnreachableError("x"), 3),
        (errors.SchemaMismatchError("x", state="behind"), 4),
        (errors.NotFoundError("x"), 5),
        (errors.RefusedError("x"), 6),
        (typer.Exit(ExitCode.PARTIAL), 7),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert outcome(error).exit_code == code


def test_an_error_is_text_and_hint_on_stderr() -> None:
    result = outcome(errors.NotFoundError("no conversation 7", hint="chatdb conversations list"))

    assert result.stdout == ""
    assert result.stderr == "error: no conversation 7\nhint: chatdb conversations list\n"


@pytest.mark.parametrize("words", [("--format", "json"), ("--format=jsonl",)])
def test_an_error_is_one_json_object_when_json_was_asked_for(words: tuple[str, ...]) -> None:
    result = outcome(
        errors.SchemaMismatchError("old", state="behind", hint="chatdb migrate"), *words
    )

    assert result.stdout == ""
    assert json.loads(result.stderr) == {
        "error": {
            "code": "schema_mismatch",
            "exit_code": 4,
            "text": "old",
            "hint": "chatdb migrate",
            "state": "behind",
        }
    }


def test_an_interruption_has_the_keys_of_an_error() -> None:
    result = outcome(KeyboardInterrupt(), "--format", "json")

    assert json.loads(result.stderr) == {
        "error": {"code": "interrupted", "exit_code": 130, "text": "interrupted", "hint": None}
    }


@pytest.mark.parametrize(
    "words",
    [
        ("--format", "json", "--nope"),
        ("nowhere", "--format", "json"),
        ("--nope", "fail", "--format=json"),
        ("fail", "--format", "json", "extra"),
    ],
)
def test_a_usage_error_is_json_too(words: tuple[str, ...]) -> None:
    words = words if "fail" in words or "nowhere" in words else ("fail", *words)

    result = CliRunner().invoke(root, list(words), prog_name="chatdb")

    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["code"] == "usage"


def test_a_bad_format_is_a_usage_error_in_text() -> None:
    result = CliRunner().invoke(root, ["fail", "--format", "xml"], prog_name="chatdb")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: invalid value for '--format'")


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EISDIR]
)
def test_the_systems_errors_name_the_file(number: int) -> None:
    result = outcome(OSError(number, "No such luck", "/some/where.db"))

    assert result.exit_code == 1
    assert result.stderr.startswith("error: /some/where.db: no such luck\nhint: ")


def test_a_missing_file_is_not_found() -> None:
    assert outcome(FileNotFoundError(errno.ENOENT, "No such file", "x.json")).exit_code == 5


def test_a_bug_keeps_its_traceback() -> None:
    result = outcome(ZeroDivisionError("by zero"))

    assert isinstance(result.exception, ZeroDivisionError)


def test_a_traceback_is_shown_with_debug_only() -> None:
    quiet = outcome(errors.NotFoundError("gone"))
    loud = outcome(errors.NotFoundError("gone"), "--debug")

    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert loud.stderr.endswith("error: gone\n")


@pytest.mark.parametrize("words", [(), ("--format", "json"), ("--debug",)])
def test_no_error_shows_a_password(words: tuple[str, ...]) -> None:
    text = "cannot open postgresql://me:p@ss:w/rd@host/db, or password='s3cret' or password=t0p"

    result = outcome(
        errors.DatabaseUnreachableError(text, hint="try postgres://a:hunter2@b/c"), *words
    )

    for secret in ("p@ss", "rd@", "s3cret", "t0p", "hunter2"):
        assert secret not in result.stderr


def test_escape_sequences_in_an_error_do_not_reach_the_terminal() -> None:
    result = outcome(errors.InvalidInputError("bad title \x1b]52;c;ZXZpbA==\x07\u202eend"))

    assert result.stderr == "error: bad title end\n"
