"""Comments, docstrings and pages name only modules that exist."""

import ast
import fnmatch
import io
import re
import tokenize
from functools import cache
from pathlib import Path

import pytest

from tests.repo.test_rules import ROOT, SOURCES, name_of

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "Makefile"])
MADE_UP = {"0007_add_tags.py", ".operations.tags"}
"""What stands in examples."""
NO_MODULES = ("args", "bulk", "com", "jsonl", "log", "made", "server", "service", "timer")
"""What follows `chatdb.` in the names of files, settings, labels and hosts."""

_FILE = re.compile(r"[\w/*.-]*\b\w+\*?\.py\b")
_MODULE = re.compile(r"(?<![\w./@-])chatdb((?:\.[a-z_]+)+)(?!\w)")
_COMMENT = re.compile(r"#.*(?:\.py\b|chatdb\.)")
_KEYS = ("merged", "split_from", "forked_from")
"""Keys of metadata."""


def text_of(path: Path) -> str:
    """Return what a file says to people: a module's comments and docstrings, a page as a whole."""
    text = path.read_text()
    if path.suffix != ".py":
        return text
    said = []
    # The tokens of a thousand files take half a minute; few have such a comment.
    if _COMMENT.search(text):
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        said = [token.string for token in tokens if token.type == tokenize.COMMENT]
    said += [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    ]
    return "\n".join(said)


@cache
def is_module(dotted: str) -> bool:
    """Tell whether the first parts are a module of chatdb's, and the next one stands in it."""
    place, parts = ROOT / "chatdb", dotted.strip(".").split(".")
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    file = place / f"{parts[0]}.py" if parts else place
    if len(parts) < 2:
        return file.exists()
    return file.is_file() and re.search(rf"\b{parts[1]}\b", file.read_text()) is not None


@cache
def is_file(name: str) -> bool:
    """Tell whether a module's file is there: by its name, or by the end of its path."""
    return name in MADE_UP or any(
        fnmatch.fnmatch(f"/{name_of(path)}", f"*/{name.removeprefix('./').lstrip('/')}")
        for path in SOURCES
    )


def missing(text: str) -> set[str]:
    """Return the names of modules in a text that there are not."""
    modules = {
        name
        for name in _MODULE.findall(text)
        if name.split(".")[1] not in (*NO_MODULES, *_KEYS) and name not in MADE_UP
    }
    files = {name for name in _FILE.findall(text) if Path(name).name not in MADE_UP}
    return {each for each in files if not is_file(each)} | {
        each for each in modules if not is_module(each)
    }


def test_every_module_that_is_named_exists() -> None:
    named = {name_of(path): missing(text_of(path)) for path in (*SOURCES, *PAGES)}

    assert {name: names for name, names in named.items() if names} == {}


@pytest.mark.parametrize(
    "text", ["in chatdb/db/nowhere.py", "see `chatdb.db.nowhere`", "chatdb.db.connect.nowhere()"]
)
def test_a_module_that_is_not_there_is_noticed(text: str) -> None:
    assert missing(text) != set()


def test_nothing_points_to_the_plan_of_the_house() -> None:
    word = "DESI" + "GN"
    found = [name_of(path) for path in SOURCES if re.search(rf"\b{word}\b", path.read_text())]

    assert found == []
