"""docs/exit-codes.md has every exit code, and every code of an error."""

import re
from collections.abc import Iterator
from pathlib import Path

from chatdb import errors
from chatdb.errors import ChatdbError, ExitCode

TEXT = (Path(__file__).resolve().parents[2] / "docs/exit-codes.md").read_text()


def kinds(base: type[ChatdbError] = ChatdbError) -> Iterator[type[ChatdbError]]:
    """Yield every kind of error."""
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_the_page_has_every_exit_code_once() -> None:
    assert re.findall(r"(?m)^\| (\d+) \|", TEXT) == [str(code.value) for code in ExitCode]


def test_the_page_has_every_code_of_an_error_with_its_exit_code() -> None:
    section = TEXT.partition("## Errors\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"(?m)^\| `([a-z_]+)` \| (\d+) \|", section))
    known = {kind.code: str(kind.exit_code.value) for kind in kinds()}

    assert len(known) > 10
    assert errors.__name__ in {kind.__module__ for kind in kinds()}
    assert {**known, "interrupted": str(ExitCode.INTERRUPTED.value)} == rows
