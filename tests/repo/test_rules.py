"""The rules of the house that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("chatdb", "migrations", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)
PACKAGE = [path for path in SOURCES if path.is_relative_to(ROOT / "chatdb")]
LONGEST_FILE = 400
LONGEST_FUNCTION = 45


def name_of(path: Path) -> str:
    """Return a file's path inside the repository."""
    return str(path.relative_to(ROOT))


def users_of(pattern: str) -> set[str]:
    """Return the package's files in which the pattern occurs."""
    found = re.compile(pattern)
    return {name_of(path) for path in PACKAGE if found.search(path.read_text())}


# One test a rule, not one a file: each test costs ten times what reading a file does.
def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in SOURCES}

    assert len(lengths) > 500
    assert [name for name, lines in lengths.items() if lines > LONGEST_FILE] == []


def test_no_function_is_longer_than_45_lines() -> None:
    lengths = {
        f"{name_of(path)}: {node.name}": _lines_of_code(node)
        for path in PACKAGE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert len(lengths) > 2000
    assert [name for name, lines in lengths.items() if lines > LONGEST_FUNCTION] == []


def _lines_of_code(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines from its first statement after the docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_every_module_and_public_name_says_what_it_is() -> None:
    silent = [
        f"{name_of(path)}: {name}"
        for path in PACKAGE
        for name, node in _public(ast.parse(path.read_text()))
        if not ast.get_docstring(node)
    ]

    assert silent == []


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.Module | ast.FunctionDef | ast.ClassDef]]:
    """Yield a module that is not empty, and its public functions and classes, with their names."""
    if tree.body:
        yield "the module", tree
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node


def test_package_files_are_empty() -> None:
    packages = [path for path in SOURCES if path.name == "__init__.py"]

    assert [name_of(path) for path in packages if path.read_text()] == ["chatdb/__init__.py"]


def test_no_file_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "service", "misc"}

    assert [name_of(path) for path in SOURCES if drawers & {path.stem, path.parent.name}] == []


def test_no_file_of_the_package_looks_like_a_test() -> None:
    assert [name_of(path) for path in PACKAGE if re.search(r"^test_|_test$", path.stem)] == []


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = {}
    for path in PACKAGE:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name_of(path))
    assert len(places) > 400

    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_only_output_and_diagnostics_write_to_the_streams() -> None:
    assert users_of(
        r"(?<!\.)\bprint\(|sys\.(stdout|stderr|__stdout__|__stderr__)|typer\.(echo|secho)"
    ) <= {
        "chatdb/__main__.py",
        "chatdb/cli/boundary.py",
        "chatdb/cli/confirm.py",
        "chatdb/cli/diagnostics.py",
        "chatdb/cli/commands/dev_db/gone_reader.py",
        "chatdb/cli/output.py",
        "chatdb/cli/paging.py",
        "chatdb/cli/progress_bar.py",
    }


def test_only_the_settings_read_the_environment() -> None:
    assert users_of(r"\b(environ|getenv)\b") == {"chatdb/config.py"}


def test_only_the_parser_ends_the_process() -> None:
    assert users_of(r"\bsys\.exit\(|\bos\._exit\(|raise SystemExit") <= {"chatdb/__main__.py"}


def test_dialects_are_told_apart_in_their_own_folder_only() -> None:
    places = users_of(r"dialect(_|\.)name\s*(==|!=|in\b)")

    assert {place for place in places if not place.startswith("chatdb/db/")} == set()


def test_the_vendored_parser_is_never_imported() -> None:
    assert users_of(r"(?m)^\s*(import click|from click|from typer\._|import typer\._)") == set()


def test_tables_are_made_by_migrations_only() -> None:
    everywhere = {
        name_of(path)
        for path in SOURCES
        if re.search(r"\.create_all\(", path.read_text()) and path != Path(__file__)
    }

    assert everywhere == set()


def test_no_pattern_has_a_possessive_group() -> None:
    """Python before 3.11.5 matches them wrongly (python/cpython#106052), and chatdb runs there."""
    assert users_of(r"""\)[*+?]\+(?!=)["')\\(|]""") == set()
