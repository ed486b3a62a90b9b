"""How much of a server's machine a restore may use."""

import os
from dataclasses import dataclass
from typing import Any

from chatdb.db.postgresql.session_settings import program_options
from chatdb.db.url import DatabaseUrl

_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
_MOST_JOBS = 8
_REMOTE_JOBS = 4
_LEAST_MEMORY, _MOST_MEMORY = 64, 1024
"""For each index being built, in MB; more does not make it faster."""

_SETTINGS = """
SELECT name, setting::bigint * CASE unit WHEN '8kB' THEN 8 ELSE 1 END / 1024
FROM pg_settings WHERE name IN ('shared_buffers', 'maintenance_work_mem')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How much of the machine a restore uses: `memory` in MB for each index being built."""

    jobs: int
    memory: int
    server_version: int

    def options(self) -> list[str]:
        """Return the settings of the programs' sessions."""
        return [
            f"-c maintenance_work_mem={self.memory}MB",
            # The restored data only counts once the database is renamed, which waits for the disk.
            "-c synchronous_commit=off",
            *program_options(self.server_version),
        ]


def tune(connection: Any, url: DatabaseUrl, *, jobs: int | None) -> Tuning:
    """Choose jobs and memory, on a bare connection to the server.

    One job for each core of this machine, or four on a remote server. Memory depends on the
    server's setting: four times its shared buffers, and an eighth of this machine's memory if it is
    local, for all jobs together. So a container with less memory than its machine is not exceeded.
    """
    settings = {name: int(megabytes) for name, megabytes in connection.execute(_SETTINGS)}
    is_local = url.host.startswith("/") or url.host in _LOCAL_HOSTS
    if jobs is None:
        # The affinity, because a container or taskset may allow fewer cores than the machine has.
        jobs = min(len(os.sched_getaffinity(0)), _MOST_JOBS) if is_local else _REMOTE_JOBS
    memory = settings["shared_buffers"] * 4
    if is_local:
        memory = min(memory, _physical_megabytes() // 8)
    each = min(max(memory // jobs, _LEAST_MEMORY), _MOST_MEMORY)
    return Tuning(
        jobs=jobs,
        memory=max(each, settings["maintenance_work_mem"]),
        server_version=connection.info.server_version,
    )


def _physical_megabytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
