"""`chatdb formats` lists what import and export take."""

import json
from pathlib import Path
from typing import Any

from chatdb.formats.registry import FORMATS
from chatdb.layouts.recognising import systems


def test_formats_lists_every_format_with_what_it_can(run: Any) -> None:
    result = run("formats", "--format", "json")

    rows = json.loads(result.stdout)
    files = [known.name for known in FORMATS]
    names = [row["name"] for row in rows]
    assert sorted(names) == sorted(files + [known.name for known in systems()])
    assert {
        "name": "jsonl",
        "kind": "file",
        "title": "chatdb's native format: JSON Lines, lossless",
        "reads": True,
        "writes": True,
        "group": "own",
        "extensions": [".jsonl", ".jsonl.gz", ".jsonl.zst"],
        "verified": [],
    } in rows


def test_formats_as_a_table_says_yes_and_no(run: Any) -> None:
    lines = run("formats").stdout.splitlines()

    assert lines[0].split() == [
        *("Group", "Name", "Title", "Reads", "Writes", "Extensions", "Verified"),
    ]
    markdown = next(line for line in lines if " markdown " in line)
    assert markdown.endswith(".md, .md.gz, .md.zst, .markdown")
    assert markdown.split()[-6:-4] == ["no", "yes"]


def test_sources_are_grouped_by_how_well_known_they_are(run: Any) -> None:
    rows = json.loads(run("formats", "--format", "json").stdout)

    groups = [row["group"] for row in rows]
    assert list(dict.fromkeys(groups)) == ["own", "wide", "small", "output"]
    assert groups == sorted(groups, key=["own", "wide", "small", "output"].index)
    assert all(row["reads"] == (row["group"] != "output") for row in rows)
    wide = {row["name"] for row in rows if row["group"] == "wide"}
    assert {"chatgpt", "claude", "open-webui", "langgraph"} <= wide


def test_the_page_of_a_source_names_the_versions_that_were_verified() -> None:
    for page in (Path(__file__).parents[2] / "docs" / "sources").glob("*.md"):
        (system,) = [each for each in systems() if each.name == page.stem]
        (line,) = [line for line in page.read_text().splitlines() if "ast verified with" in line]
        assert system.verified
        assert all(version.rpartition(" ")[2] in line for version in system.verified), page.name
