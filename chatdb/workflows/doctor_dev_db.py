"""What the doctor says of the project's development server: whether it runs, and where."""

from collections.abc import Iterator

from chatdb.errors import EngineUnavailableError
from chatdb.operations.doctor_findings import Check, Finding, error, info, ok
from chatdb.servers.base import DevServer, Engine, ServerLook, ServerState
from chatdb.servers.compose import ComposeEngine
from chatdb.servers.embedded import EmbeddedEngine
from chatdb.workflows.dev_db_memory import Remembered, project_at
from chatdb.workflows.doctor_machine import ENGINE_SECONDS, Machine


def _dev_db(machine: Machine) -> Iterator[Finding]:
    """A project without a server gives no finding: it may well do without."""
    project = project_at(machine.settings.folder)
    remembered = project.load()
    if remembered is None:
        return
    server = remembered.server(project.folder)
    try:
        seen = _engine(machine, remembered).look(server)
    except EngineUnavailableError as failure:
        text = f"the development server ({remembered.engine}) cannot be looked at: {failure.text}"
        yield info("dev-db", text, failure.hint)
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
        return ok("dev-db", f"{name} runs on port {seen.port or server.port}")
    if seen.state is ServerState.STARTING:
        return info("dev-db", f"{name} is starting up", "chatdb dev-db status")
    if seen.state is ServerState.FAILED:
        return error("dev-db", f"{name} ended or does not answer", "see why: chatdb dev-db logs")
    if seen.state is ServerState.ABSENT:
        return info("dev-db", f"the data of {name} is gone", "make it anew: chatdb dev-db up")
    return info("dev-db", f"{name} is stopped; its data is kept", "chatdb dev-db up")


DEV_DB_CHECK: Check[Machine] = Check("dev-db", _dev_db)
"""Apart from the others, as the look at Docker is: its programs take their time."""
