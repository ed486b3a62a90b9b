"""`chatdb embeddings`, and `chatdb search --like` and `--hybrid`: what they print."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from tests.operations.conversation_rows import add_conversation

Command = Callable[..., Any]

HOSTILE = "\x1b]52;c;ZXZpbA==\x07 feed the yeast \u202e and flour"


@pytest.fixture
def filled(command: Command, database: Database) -> Command:
    """Run a command on a database with two conversations."""
    add_conversation(database, [HOSTILE, "It needs water."], title="Baking", user_id="ann")
    add_conversation(database, ["The engine does not turn over."], number=2, title="Car")
    return command


def test_nothing_is_found_before_a_build_which_the_error_names(filled: Command) -> None:
    result = filled("search", "--like", "keeping yeast alive")

    assert result.exit_code == 5
    assert result.stdout == ""
    assert "no embeddings of the model wordllama are built" in result.stderr
    assert "embeddings build --model wordllama" in result.stderr
    assert "chatdb" in filled("embeddings", "status").stderr


def test_what_is_built_is_counted_found_and_dropped(filled: Command) -> None:
    built = filled("embeddings", "build")
    status = filled("embeddings", "status", "--format", "json")
    hits = filled("search", "--like", "keeping yeast alive", "--limit", "1")
    both = filled("search", "--hybrid", "engine", "--format", "json")
    narrowed = filled("search", "--like", "yeast", "user:nobody", "--format", "json")
    refused = filled("embeddings", "drop", input="")
    preview = filled("embeddings", "drop", "--dry-run")
    dropped = filled("embeddings", "drop", "--yes", "--format", "json")

    assert built.stdout == "wordllama: embedded 3 messages; 0 had one\n"
    (row,) = json.loads(status.stdout)
    assert row == {
        "organization": "default",
        "model": "wordllama",
        "vectors": 3,
        "without_text": 0,
        "missing": 0,
        "numbers": 256,
        "index_bytes": None,
    }
    assert hits.exit_code == 0
    assert "feed the yeast" in hits.stdout
    assert "\x1b" not in hits.stdout
    assert "\u202e" not in hits.stdout
    assert hits.stderr == "note: there are more than 1: --limit shows more\n"
    first = json.loads(both.stdout)[0]
    assert (first["snippet"], first["title"]) == ("The engine does not turn over.", "Car")
    assert first["score"] == pytest.approx(2 / 61, abs=1e-6)
    assert json.loads(narrowed.stdout) == []
    assert refused.exit_code == 6
    assert preview.stdout == "would remove the vectors of 3 messages (wordllama)\n"
    assert json.loads(dropped.stdout) == {"models": ["wordllama"], "removed": 3}
    assert filled("embeddings", "drop", "--yes").exit_code == 5


def test_a_part_is_built_and_the_rest_said(filled: Command) -> None:
    built = filled("embeddings", "build", "--limit", "2")
    found = filled("search", "--like", "engine")

    assert "there are more" in built.stderr
    assert "1 messages have no vector yet" in found.stderr
    assert "embeddings build" in filled("embeddings", "status").stderr


@pytest.mark.parametrize("missing", ["wordllama", "tokenizers"])
def test_a_missing_package_is_named_with_what_installs_it(
    filled: Command, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    if missing == "tokenizers":
        monkeypatch.delitem(sys.modules, "chatdb.operations.embeddings.wordllama", raising=False)
    else:
        monkeypatch.setattr("chatdb.operations.embeddings.models.find_spec", lambda _: None)

    result = filled("embeddings", "build")

    assert result.exit_code == 1
    assert f"needs the package {missing}, which is not installed" in result.stderr
    assert "pip install 'chatdb-cli[semantic]'" in result.stderr


def test_the_key_is_never_printed_and_comes_from_where_the_address_does(
    filled: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHATDB_EMBEDDINGS_KEY", "sk-secret")
    (tmp_path / ".env").write_text("CHATDB_EMBEDDINGS_URL=https://evil.example/v1\n")
    foreign = filled("embeddings", "build", "--model", "m")
    monkeypatch.setenv("CHATDB_EMBEDDINGS_URL", "http://evil.example/v1")
    monkeypatch.setenv("CHATDB_EMBEDDINGS_MODEL", "m")
    plain = filled("embeddings", "build")
    shown = filled("config", "show")

    assert (foreign.exit_code, plain.exit_code) == (2, 2)
    assert ".env line 1 is not used" in foreign.stderr
    assert "in plain text" in plain.stderr
    assert "sk-secret" not in foreign.stderr + plain.stderr + shown.stdout
    assert "http://evil.example/v1" in shown.stdout


def test_a_backup_has_the_vectors(
    filled: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    filled("embeddings", "build")
    filled("backup", "create")
    filled("embeddings", "drop", "--yes")

    restored = filled("restore", "latest", "--yes")

    assert restored.exit_code == 0, restored.stderr
    (row,) = json.loads(filled("embeddings", "status", "--format", "json").stdout)
    assert (row["vectors"], row["missing"]) == (3, 0)
