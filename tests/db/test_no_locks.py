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


@pytest.mark.parametrize(
    "words",
    [("conversations", "list"), ("messages", "add", "last", "x"), ("migrate",), ("doctor",)],
    ids=" ".join,
)
def test_a_share_without_locks_is_named_instead_of_another_program(
    sqlite_url: DatabaseUrl, share: Path, words: tuple[str, ...]
) -> None:
    done = subprocess.run(
        command_line(*words, "-d", sqlite_url.exposed()),
        env={**process_environment(None), "LD_PRELOAD": str(share)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "a file system without locks" in done.stdout + done.stderr
    assert "another program" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
