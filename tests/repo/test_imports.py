"""No two files of the package import one another, however long the way round is."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.repo.test_rules import PACKAGE, ROOT


def module_of(path: Path) -> str:
    """Return a file's dotted name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported, inside functions too, but for what only the types need."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from imports_of(node)


def circle_in(sources: Mapping[str, str]) -> list[str]:
    """Return the modules of a circle, by their texts; none where there is no circle."""
    order = TopologicalSorter(
        {
            name: {other for other in imports_of(ast.parse(text)) if other in sources} - {name}
            for name, text in sources.items()
        }
    )
    try:
        order.prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_files_import_one_another() -> None:
    sources = {module_of(path): path.read_text() for path in PACKAGE}
    assert len(sources) > 400

    assert circle_in(sources) == []


@pytest.mark.parametrize(
    "back",
    ["from a import b", "from a.b import name", "import a.b", "def f():\n    from a import b"],
)
def test_a_circle_is_noticed(back: str) -> None:
    sources = {"a.b": "from a.c import d", "a.c": "import a.d", "a.d": back}

    assert set(circle_in(sources)) == {"a.b", "a.c", "a.d"}


def test_what_only_the_types_need_makes_no_circle() -> None:
    typed = "if TYPE_CHECKING:\n    from a import b"

    assert circle_in({"a.b": "from a import c", "a.c": typed}) == []
