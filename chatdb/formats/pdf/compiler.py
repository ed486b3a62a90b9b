"""The process that compiles documents, started when it is needed and again before it grows."""

import errno
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

from chatdb.errors import (
    NotFoundError,
    ProgramMissingError,
    StorageError,
    TypesettingFailedError,
)
from chatdb.formats.pdf import typesetting

MOST_CHARACTERS = 2_000_000
"""Characters of the largest document, after which the process is replaced: it keeps what it might
use again."""
_FULL = f"os error {errno.ENOSPC}"
"""How the compiler, which is written in Rust, says that a disk is full."""


def check_installed() -> None:
    """Raise ProgramMissingError without the packages of the extra."""
    for package in ("typst", "fontTools"):
        if find_spec(package) is None:
            raise ProgramMissingError(
                f"PDF needs the package {package.lower()}",
                hint="to install it: pip install 'chatdb-cli[pdf]'; or export --to html, open the "
                "page in a browser and print it",
            )


def check_fonts(folders: Sequence[str]) -> None:
    """Raise NotFoundError for a folder with fonts that does not exist."""
    for folder in folders:
        if not Path(folder).is_dir():
            raise NotFoundError(f"there is no folder {folder}", hint="check --font-dir")


class Compiler:
    """Compiles folders; `fonts` are folders with fonts beside those of the system."""

    def __init__(self, fonts: Sequence[str] = ()) -> None:
        self._fonts = [str(Path(each).absolute()) for each in fonts]
        self._process: subprocess.Popen[str] | None = None
        self._characters = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._end()

    def faces(self) -> list[tuple[str, str | None, int, int]]:
        """Return every font: its family, file (None inside the compiler), place in it, weight."""
        answer = self._ask(kind="faces")
        if "error" in answer:
            raise TypesettingFailedError(f"the fonts cannot be listed: {answer['error']}")
        return [tuple(each) for each in answer["faces"]]

    def compile(self, folder: Path, *, size: int) -> None:
        """Compile the document in a folder, which has so many characters.

        Raises TypesettingFailedError, StorageError for a full disk.
        """
        if self._characters + size > MOST_CHARACTERS:
            self._end()
        self._characters += size
        answer = self._ask(kind="document", folder=str(folder))
        if _FULL in answer.get("error", ""):
            raise StorageError(
                f"the pages cannot be written in {folder.parent.parent}: no space left on device",
                hint="free some space, or choose another place: TMPDIR",
            )
        if "error" in answer:
            raise TypesettingFailedError(
                f"the pages cannot be made: {answer['error']}",
                hint="export --to html, open the page in a browser and print it",
            )

    def is_readable(self, folder: Path, name: str) -> bool:
        """Tell whether a picture in a folder can be shown."""
        return "error" not in self._ask(kind="picture", folder=str(folder), name=name)

    def _ask(self, **task: str) -> dict[str, Any]:
        process = self._process or self._started()
        tasks, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
        try:
            tasks.write(json.dumps(task) + "\n")
            tasks.flush()
            line = answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._end()
            return {"error": f"the compiler ended with {process.returncode}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _started(self) -> subprocess.Popen[str]:
        # -P: no module of the folder that chatdb is called in takes the place of another.
        command = [sys.executable, "-P", str(Path(typesetting.__file__)), *self._fonts]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self._process

    def _end(self) -> None:
        process, self._process, self._characters = self._process, None, 0
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                # What was not written to it any more is of no use.
                with suppress(BrokenPipeError):
                    cast(IO[str], stream).close()
