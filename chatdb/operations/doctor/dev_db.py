"""The doctor's findings on the project's development server: whether it runs, and where."""

from collections.abc import Iterator

from chatdb.errors import EngineUnavailableError
from chatdb.operations.dev_db.public import Remembered, project_at
from chatdb.operations.doctor.findings import Check, Finding, error, info, ok
from chatdb.operations.doctor.machine import ENGINE_SECONDS, Machine
from chatdb.servers.base import DevServer, Engine, ServerLook, ServerState
from chatdb.servers.compose.engine import ComposeEngine
from chatdb.servers.embedded.engine import EmbeddedEngine


def _dev_db(machine: Machine) -> Iterator[Finding]:
    """A project without a server gives no finding: it may not need one."""
    project = project_at(machine.settings.folder)
    remembered = project.load()
    if remembered is None:
        return
    server = remembered.server(project.folder)
    try:
        seen = _engine(machine, remembered).look(server)
    except EngineUnavailableError as failure:
        text = f"the development server ({remembered.engine}) cannot be inspected: {failure.text}"
        yield info(text, failure.hint)
        return
    yield _finding(remembered.engine, server, seen)


def _engine(machine: Machine, remembered: Remembered) -> Engine:
    if remembered.engine == ComposeEngine.name:
        return ComposeEngine(
            environment=machine.settings.environment, answer_seconds=ENGINE_SECONDS
        )
    return EmbeddedEngine(bindir=machine.settings.bindir)


def _finding(engine: str, server: DevServer, seen: ServerLook) -> Finding:
    name = f"the development server ({engine})"
    if seen.state is ServerState.RUNNING:
        return ok(f"{name} is running on port {seen.port or server.port}")
    if seen.state is ServerState.STARTING:
        return info(f"{name} is starting", "chatdb dev-db status")
    if seen.state is ServerState.FAILED:
        return error(f"{name} stopped or does not answer", "see why: chatdb dev-db logs")
    if seen.state is ServerState.ABSENT:
        return info(f"the data of {name} is gone", "create it again: chatdb dev-db up")
    return info(f"{name} is stopped; its data is kept", "chatdb dev-db up")


DEV_DB_CHECK: Check[Machine] = Check("dev-db", _dev_db)
"""Separate from the other checks, like Docker's: its programs take time."""
