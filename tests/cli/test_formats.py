"""`chatdb formats` lists what import and export take."""

import json
from typing import Any

from chatdb.formats.registry import FORMATS
from chatdb.layouts.recognising import systems


def test_formats_lists_every_format_with_what_it_can(run: Any) -> None:
    result = run("formats", "--format", "json")

    rows = json.loads(result.stdout)
    files = [known.name for known in FORMATS]
    assert [row["name"] for row in rows] == files + [known.name for known in systems()]
    assert {
        "name": "jsonl",
        "kind": "file",
        "title": "chatdb's native format: JSON Lines, lossless",
        "reads": True,
        "writes": True,
        "extensions": [".jsonl", ".jsonl.gz", ".jsonl.zst"],
    } in rows


def test_formats_as_a_table_says_yes_and_no(run: Any) -> None:
    lines = run("formats").stdout.splitlines()

    assert lines[0].split() == ["Name", "Title", "Reads", "Writes", "Extensions"]
    markdown = next(line for line in lines if line.startswith("markdown"))
    assert markdown.endswith(".md, .md.gz, .md.zst, .markdown")
    assert markdown.split()[-6:-4] == ["no", "yes"]
