"""No format is written under the name of another."""

from pathlib import Path

import pytest

from chatdb.errors import UsageError
from chatdb.formats.files.writing import check_native_name, format_of


@pytest.mark.parametrize(
    ("output", "to", "expected"),
    [
        ("-", None, None),
        ("-", "json", "json"),
        ("chats", None, None),
        ("chats", "markdown", "markdown"),
        ("chats.gz", None, None),
        ("chats.2026-11", None, None),
        ("chats.2026-11.zst", "jsonl", "jsonl"),
        (".hidden", None, None),
        ("a.jsonl", None, "jsonl"),
        ("A.JSONL.ZST", None, "jsonl"),
        ("a.json", None, "json"),
        ("a.json", "json", "json"),
        ("a.md", None, "markdown"),
        ("a.html", None, "html"),
        ("A.HTM", "html", "html"),
        ("a.PDF", None, "pdf"),
        ("a.pdf.zst", "pdf", "pdf"),
        ("a.html.gz", None, "html"),
        ("a.csv", None, "csv"),
        ("A.CSV.ZST", None, "csv"),
        ("a.parquet", None, "parquet"),
        ("a.jsonl", "dpo", "dpo"),
        ("a.jsonl.zst", "openai-finetune", "openai-finetune"),
        ("a.json", "sharegpt", "sharegpt"),
        ("train", "oasst", "oasst"),
        ("a.markdown", "markdown", "markdown"),
        ("a.bak", "jsonl", "jsonl"),
        ("a.txt", "markdown", "markdown"),
        ("notes.html/", None, None),
        ("/dev/stdout", None, None),
    ],
)
def test_a_name_tells_the_format_or_leaves_it_open(
    output: str, to: str | None, expected: str | None
) -> None:
    assert format_of(output, to) == expected


@pytest.mark.parametrize(
    "output",
    ["chat.xhtml", "chat.docx", "chat.tsv", "chat.txt", "a.bak", "a.xml.gz", "a.json.bak", "a.db"],
)
def test_a_name_of_what_is_not_written_is_refused(output: str) -> None:
    with pytest.raises(UsageError, match="does not say which format") as told:
        format_of(output, None)

    assert told.value.hint is not None
    assert ".jsonl, .json, .csv" in told.value.hint


def test_the_ending_that_is_not_written_is_named_whole() -> None:
    with pytest.raises(UsageError, match=r"chatdb does not write \.parquet\.gz$"):
        format_of("a.parquet.gz", None)


@pytest.mark.parametrize(
    ("output", "to"),
    [
        ("chat.html", "jsonl"),
        ("chat.PDF", "markdown"),
        ("a.md", "pdf"),
        ("chat.csv.gz", "json"),
        ("a.json", "jsonl"),
        ("a.html", "markdown"),
        ("a.md", "html"),
        ("a.jsonl", "json"),
        ("a.md", "jsonl"),
        ("a.jsonl.zst", "markdown"),
        ("a.parquet.gz", "parquet"),
        ("a.json", "dpo"),
        ("a.jsonl", "sharegpt"),
    ],
)
def test_a_name_of_another_format_is_refused_whatever_to_says(output: str, to: str) -> None:
    with pytest.raises(UsageError, match="says a different format"):
        format_of(output, to)


def test_a_folder_of_any_name_takes_any_format(tmp_path: Path) -> None:
    folder = tmp_path / "site.html"
    folder.mkdir()

    assert format_of(str(folder), "markdown") == "markdown"
    assert format_of(str(folder), None) is None


def test_a_training_set_is_no_folder() -> None:
    with pytest.raises(UsageError, match="as one file") as told:
        format_of("sets/", "dpo")
    assert ".jsonl" in str(told.value.hint)


def test_what_is_kept_is_native_and_named_so() -> None:
    for name in ("kept.jsonl.zst", "kept", "kept.bak"):
        check_native_name(Path(name))
    with pytest.raises(UsageError):
        check_native_name(Path("kept.html"))
