"""SQLite on a file system that has no locks, as some network shares: said at once, as it is."""

import subprocess
from pathlib import Path

import pytest

from chatdb.db.url import DatabaseUrl
from tests.cli.conftest import command_line, process_environment
from tests.programs import program

_SHARE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
static int refuse(int fd, int command, void *argument, const char *name) {
    int (*real)(int, int, ...) = dlsym(RTLD_NEXT, name);
    if (command == F_SETLK || command == F_SETLKW) { errno = ENOLCK; return -1; }
    return real(fd, command, argument);
}
#define WRAPPED(NAME) int NAME(int fd, int command, ...) { \
    va_list rest; va_start(rest, command); void *argument = va_arg(rest, void *); va_end(rest); \
    return refuse(fd, command, argument, #NAME); }
WRAPPED(fcntl)
WRAPPED(fcntl64)
"""


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes every file one of a share without locks."""
    compiler = program("cc")
    folder = tmp_path_factory.mktemp("share")
    (folder / "share.c").write_text(_SHARE)
    library = folder / "share.so"
    words = [compiler, "-shared", "-fPIC", "-o", str(library), str(folder / "share.c"), "-ldl"]
    subprocess.run(words, check=True)
    return library


@pytest.mark.large
@pytest.mark.parametrize(
    "words",
    [("conversations", "list"), ("messages", "add", "last", "x"), ("migrate",), ("doctor",)],
    ids=" ".join,
)
def test_a_share_without_locks_is_named_instead_of_another_program(
    sqlite_url: DatabaseUrl, share: Path, words: tuple[str, ...]
) -> None:
    done = on_share(share, *words, "-d", sqlite_url.exposed())

    assert done.returncode == 1
    assert "a file system without locks" in done.stdout + done.stderr
    assert "another program" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("migrate", "-d", "sqlite:///data/new.db"),
        ("messages", "add", "last", "x", "-d", "sqlite:///data/new.db"),
        ("import", "talk.json", "-d", "sqlite:///new.db"),
        ("copy", "{there}", "sqlite:///new.db"),
    ],
    ids=lambda words: words[0],
)
def test_nothing_is_left_of_a_new_file_there(
    sqlite_url: DatabaseUrl, share: Path, words: tuple[str, ...]
) -> None:
    folder = Path.cwd()
    (folder / "talk.json").write_text('[{"role": "user", "content": "melon"}]')
    before = set(folder.iterdir())

    done = on_share(share, *(word.format(there=sqlite_url.exposed()) for word in words))

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert set(folder.iterdir()) == before


def on_share(share: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command where no file can be locked."""
    return subprocess.run(
        command_line(*words),
        env={**process_environment(None), "LD_PRELOAD": str(share)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
