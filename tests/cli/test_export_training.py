"""`chatdb export` and `convert` to training sets as people run them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.formats import native
from tests.formats.training_rules import CHECKS
from tests.operations.export_rows import NOON, conversation, insert, message

Runner = Callable[..., Any]

ANSWERED = conversation(
    1,
    [
        message(1, "Why?"),
        message(2, "Old.", role="assistant", parent_id=message(1).id),
        message(3, "New.", role="assistant", parent_id=message(1).id, reasoning="hm"),
    ],
    current_message_id=message(3).id,
)
ALONE = conversation(2, [message(1, "Hello?")])


@pytest.mark.parametrize("name", CHECKS)
def test_a_set_is_one_file_and_tells_what_it_leaves_out(
    run: Runner, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with Database.open(database_url) as database:
        insert(database, [ANSWERED, ALONE])
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    output = "set.json" if name == "sharegpt" else "set.jsonl"

    result = run("export", "--to", name, "--output", output)
    assert result.exit_code == 0
    assert f"wrote 1 example of 2 conversations to {output}" in result.stderr
    reason = "answered several times: 1" if name == "dpo" else "question and its answer: 1"
    assert reason in result.stderr
    assert "left out: blocks of reasoning: 1" in result.stderr
    text = Path(output).read_text()
    (example,) = json.loads(text) if name == "sharegpt" else [json.loads(text)]
    CHECKS[name](example)
    assert run("export", "--to", name).stdout == text
    assert run("export", "--to", name, "--output", "sets/").exit_code == 2


def test_files_become_a_training_set_without_a_database(run: Runner) -> None:
    lines = [native.header_line(created=NOON), *map(native.conversation_line, [ANSWERED, ALONE])]
    Path("in.jsonl").write_bytes(b"".join(lines))

    result = run("convert", "in.jsonl", "out.jsonl", "--to", "dpo")

    assert result.exit_code == 0
    pair = json.loads(Path("out.jsonl").read_text())
    assert [pair[side][0]["content"] for side in ("chosen", "rejected")] == ["New.", "Old."]
    assert "a file of preferences (DPO)" in run("import", "out.jsonl").stderr
