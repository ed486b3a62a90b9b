"""`chatdb dev-db` on the embedded engine against doing the same by hand.

`up` from nothing to a migrated database against initdb, start, createdb and `chatdb migrate` one
after the other, with the same options; a second `up`; and bringing back a checkpoint of a
database of 1,000,000 messages (about 1.6 GB) against pg_dump, uncompressed, and pg_restore on every
core.

    python -m benchmarks.dev_db
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.databases import imported_postgresql
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    Sides,
    in_turn,
    median_seconds,
    run_alone,
    time_figure,
    timed,
)
from chatdb.db.url import DatabaseUrl
from chatdb.operations.dev_db.checkpoints import delete, list_checkpoints
from tests.postgres_server import PASSWORD, _server_account
from tests.servers.projects import free_port, open_folder

_MESSAGES = 1_000_000


def from_nothing(bench: Bench) -> Figure:
    """Compare `up --migrate` with what it does, done by hand."""
    return time_figure(_ups(bench), "dev-db up --migrate", "initdb, start, createdb, migrate")


def seconds_from_nothing(bench: Bench) -> Figure:
    """Give the seconds of `up --migrate` from nothing."""
    seconds = median_seconds(_ups(bench).ours)
    return Figure(f"dev-db up --migrate: {seconds:.2f} s", "seconds", seconds)


def again(bench: Bench) -> Figure:
    """Give the seconds of a second `up --migrate`."""
    with _project() as folder:
        _first_up(folder)
        runs = [_chatdb(folder, "up", "--migrate") for _ in range(bench.rounds(9, quick=5))]
    seconds = median_seconds(runs)
    return Figure(f"a second dev-db up: {seconds:.2f} s", "seconds", seconds)


def restore(bench: Bench) -> Figure:
    """Compare `checkpoint restore` with pg_dump and pg_restore of the same database."""
    url, _ = imported_postgresql(bench, bench.size(_MESSAGES, quick=50_000))
    _checkpoint(bench, url, "save", "one")
    sides = in_turn(
        bench.rounds(3, quick=3),
        lambda: _checkpoint(bench, url, "restore", "one", "--yes"),
        lambda: _dump_and_restore(bench, url),
    )
    return time_figure(sides, "checkpoint restore", "pg_dump and pg_restore")


@cache
def _ups(bench: Bench) -> Sides:
    return in_turn(bench.rounds(5, quick=3), _up, lambda: _by_hand(bench))


def _up() -> Run:
    with _project() as folder:
        return _first_up(folder)


def _first_up(folder: Path) -> Run:
    port = str(free_port())
    return _chatdb(folder, "up", "--engine", "embedded", "--migrate", "--port", port)


@contextmanager
def _project() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder
        _chatdb(folder, "down", "--volumes", "--yes")


def _chatdb(folder: Path, *words: str) -> Run:
    command = (sys.executable, "-m", "chatdb", "dev-db", *words)
    return timed(("/bin/sh", "-c", 'cd "$0" && exec "$@"', folder, *command))


def _by_hand(bench: Bench) -> Run:
    """Run the programs one after the other; only they are timed."""
    port = str(free_port())
    with open_folder() as folder:
        account = _server_account()
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        (folder / "password").write_text("chatdb\n")
        data = folder / "data"
        binaries = bench.server.binaries
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories=''"
        initdb = [binaries / "initdb", "-D", data, "-U", "chatdb", "--no-sync", "-E", "UTF8"]
        initdb += ["-A", "scram-sha-256", "--pwfile", folder / "password", "--locale=C.UTF-8"]
        ctl = [binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        login = {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "chatdb", "PGPASSWORD": "chatdb"}
        url = f"postgresql://chatdb:chatdb@127.0.0.1:{port}/chatdb_dev"
        steps: list[Callable[[], object]] = [
            lambda: _as_server(initdb, folder),
            lambda: _as_server([*ctl, "-o", options, "start"], folder),
            lambda: timed((binaries / "createdb", "chatdb_dev"), **login),
            lambda: timed((sys.executable, "-m", "chatdb", "migrate"), DATABASE_URL=url),
        ]
        started = time.perf_counter()
        for step in steps:
            step()
        seconds = time.perf_counter() - started
        _as_server([*ctl, "-m", "immediate", "stop"], folder)
        shutil.rmtree(data)
    return Run(seconds)


def _as_server(words: list[Any], folder: Path) -> None:
    account = _server_account()
    identity: dict[str, Any] = (
        {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    )
    subprocess.run(
        [str(word) for word in words],
        check=True,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        **identity,
    )


def _checkpoint(bench: Bench, url: DatabaseUrl, *words: str) -> Run:
    bench.server.execute("CHECKPOINT")
    command = ("-m", "chatdb", "dev-db", "checkpoint", *words, "--database-url", url.exposed())
    run = timed((sys.executable, *command))
    for item in list_checkpoints(url):
        if item.name.startswith("before-"):  # what a restore put aside would fill the disk
            delete(url, item.name)
    return run


def _dump_and_restore(bench: Bench, url: DatabaseUrl) -> Run:
    target, dump = f"restored_{uuid4().hex[:8]}", bench.folder / "checkpoint.dump"
    login = {
        "PGHOST": url.host,
        "PGPORT": url.port,
        "PGUSER": url.user,
        "PGPASSWORD": PASSWORD,
    }
    bench.server.execute("CHECKPOINT", f"CREATE DATABASE {target}")
    binaries, jobs = bench.server.binaries, str(os.cpu_count() or 1)
    dumping = (binaries / "pg_dump", "-Fc", "--compress=none", "-f", dump, url.database)
    restoring = (binaries / "pg_restore", "-j", jobs, "-d", target, dump)
    try:
        seconds = timed(dumping, **login).seconds + timed(restoring, **login).seconds
    finally:
        bench.server.execute(f"DROP DATABASE {target}")
        dump.unlink(missing_ok=True)
    return Run(seconds)


CLAIMS = (
    Claim("dev-db-up", Limit("at most", 1.5), from_nothing),
    Claim("dev-db-up-seconds", Limit("under", 3), seconds_from_nothing),
    Claim("dev-db-again", Limit("under", 0.5), again),
    Claim("dev-db-restore", Limit("under", 0.2), restore, needs_size=True),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
