"""A project's development server: started, inspected, stopped, removed, reset.

Loads SQLAlchemy or Alembic only when needed: a second `up` just inspects.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from chatdb.db.label import PRODUCTION, look_at_label
from chatdb.db.postgresql.server_databases import LONGEST_NAME
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    ConfigurationError,
    DatabaseUnreachableError,
    EngineUnavailableError,
    LoginRefusedError,
    NotFoundError,
    PortTakenError,
    RefusedError,
    ServerFailedError,
    UsageError,
)
from chatdb.operations.dev_db.engines import AUTO, Engines
from chatdb.operations.dev_db.memory import Project, Remembered
from chatdb.primitives.filled import filled
from chatdb.servers.base import DevServer, Engine, Note, ServerLook, ServerState
from chatdb.servers.ports import first_free, parse_port

Outcome = Literal["made", "started", "running"]

_PORT_TRIES = 20
_HERE = ("127.0.0.1", "localhost")
_NEVER_IN_A_USER = "\"$'\\"
"""CREATE EXTENSION refuses an owner with one of these, and initdb fails for it."""
_OUTCOMES: dict[ServerState, Outcome] = {
    ServerState.ABSENT: "made",
    ServerState.STOPPED: "started",
    ServerState.FAILED: "started",
}


@dataclass(frozen=True, slots=True)
class DevServerOption:
    """A value and whether the user set it; if not, the remembered value counts."""

    value: str
    asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServerOptions:
    """The requested server; `engine` and `port` may be `auto`."""

    engine: DevServerOption
    port: DevServerOption
    user: DevServerOption
    password: DevServerOption
    database: DevServerOption
    image: DevServerOption


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What `up` did: `made` the data, or only `started` the server, or neither.

    `server` contains the password.
    """

    engine: str
    server: DevServer
    look: ServerLook
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, slots=True)
class DevDatabase:
    """One project's server and the engines that may run it."""

    project: Project
    engines: Engines

    def up(self, options: DevServerOptions, *, seconds: float, note: Note) -> Started:
        """Create what is missing and start it; return when the database answers.

        Raises EngineUnavailableError, PortTakenError, ServerFailedError, RefusedError.
        """
        began = time.monotonic()
        with self.project.locked(note):
            remembered = self.project.load()
            server = self._resolve(options, remembered)
            engine = self._engine(options.engine, remembered, server, note)
            before = engine.look(server)
            is_ready = before.state is ServerState.RUNNING
            is_up = is_ready or before.state is ServerState.STARTING
            server = self._with_port(server, options.port, before, is_up=is_up)
            if remembered is None:
                self._remember(engine, server)
            old_password = _old_password(server, remembered, before)
            start = partial(
                _start,
                may_move=_is_auto(options.port) and not is_up,
                seconds=seconds,
                note=note,
            )
            try:
                server, old_password = _by_either(start, engine, server, old_password)
            except ChatdbError as error:
                if remembered is not None:
                    raise
                engine = self._instead(engine, server, options.engine, error, note)
                server = start(engine, server)
            if old_password:
                server = replace(server, password=options.password.value)
                _change_password(server, old_password, note)
            self._remember(engine, server)
            return Started(
                engine=engine.name,
                server=server,
                look=before if is_ready else engine.look(server),
                outcome=_OUTCOMES.get(before.state, "running"),
                seconds=time.monotonic() - began,
            )

    def look_ahead(self, options: DevServerOptions, *, note: Note) -> Started:
        """Return what `up` would find, without creating or starting anything."""
        remembered = self.project.load()
        server = self._resolve(options, remembered)
        if remembered is None:
            engine = self.engines.first_that_works(server, note)
        else:
            engine = self.engines.named(remembered.engine)
        look = engine.look(server)
        outcome = _OUTCOMES.get(look.state, "running")
        return Started(engine=engine.name, server=server, look=look, outcome=outcome, seconds=0.0)

    def remembered(self) -> tuple[Engine, DevServer]:
        """Return the project's server as it was last started; raises NotFoundError."""
        found = self.project.load()
        if found is None:
            raise NotFoundError(
                f"{self.project.root} has no development server",
                hint="to create one: chatdb dev-db up",
            )
        return self.engines.named(found.engine), found.server(self.project.folder)

    def running(self) -> DatabaseUrl:
        """Return the URL of the running server.

        Raises NotFoundError if there is none, DatabaseUnreachableError if it is stopped.
        """
        engine, server = self.remembered()
        if engine.look(server).state is not ServerState.RUNNING:
            raise DatabaseUnreachableError(
                "the development server is not running", hint="to start it: chatdb dev-db up"
            )
        return server.url

    def stop(self, *, note: Note) -> bool:
        """Stop the server and keep its data; tell whether it was running."""
        if self.project.is_new():
            return False
        with self.project.locked(note):
            if self.project.load() is None:
                return False
            engine, server = self.remembered()
            self._note_label(engine, server)
            return engine.stop(server, note=note)

    def down(self, *, data: bool, note: Note) -> bool:
        """Stop the server and remove what runs it; with `data` also everything it stored.

        Tells whether there was one.
        """
        if self.project.is_new():
            return False
        with self.project.locked(note):
            if self.project.load() is None:
                return False
            engine, server = self.remembered()
            self._note_label(engine, server)
            engine.remove(server, data=data, note=note)
            if data:
                self.project.forget()
            return True

    def note_label(self, url: DatabaseUrl, environment: str) -> None:
        """Remember a label just given to `url`, if that is this server's database."""
        found = self.project.load()
        if found is None:
            return
        own = found.server(self.project.folder).url
        if url.host in _HERE and (url.port or "5432", url.database) == (own.port, own.database):
            self.project.note_production(is_production=environment == PRODUCTION)

    def _note_label(self, engine: Engine, server: DevServer) -> None:
        """Remember the label of a server that is about to be stopped."""
        with suppress(ChatdbError):
            if engine.look(server).state is ServerState.RUNNING:
                label = look_at_label(server.url, whole=True)
                self.project.note_production(is_production=label.environment == PRODUCTION)

    def logs(self, *, lines: int, follow: bool) -> Iterator[str]:
        """Yield the newest lines of the server's log; raises NotFoundError."""
        engine, server = self.remembered()
        return engine.logs(server, lines=lines, follow=follow)

    def _resolve(self, options: DevServerOptions, remembered: Remembered | None) -> DevServer:
        """Return the requested server: the given settings, else the remembered ones."""

        def chosen(option: DevServerOption, kept: str | None) -> str:
            return option.value if option.asked or kept is None else kept

        kept = remembered
        _check_names(options)
        port = _port(options.port)
        return DevServer(
            project=kept.project if kept else self.project.new_name,
            folder=self.project.folder,
            port=kept.port if kept and (port is None or not options.port.asked) else port or 5432,
            user=chosen(options.user, kept.user if kept else None),
            password=chosen(options.password, kept.password if kept else None),
            database=chosen(options.database, kept.database if kept else None),
            image=chosen(options.image, kept.image if kept else None),
        )

    def _engine(
        self, option: DevServerOption, remembered: Remembered | None, server: DevServer, note: Note
    ) -> Engine:
        if remembered is None:
            if option.value == AUTO:
                return self.engines.first_that_works(server, note)
            engine = self.engines.named(option.value)
            note(f"by {engine.name}: {engine.describe()}")
            return engine
        if option.value in (AUTO, remembered.engine):
            return self.engines.named(remembered.engine)
        engine = self.engines.named(option.value)
        # Queried first: an engine that cannot run must not cost the user a running server.
        note(f"by {engine.name}: {engine.describe()}")
        self._stop_other(remembered, note)
        return engine

    def _instead(
        self,
        engine: Engine,
        server: DevServer,
        option: DevServerOption,
        error: ChatdbError,
        note: Note,
    ) -> Engine:
        """Return the engine to try after the first one failed without creating anything.

        Raises the error if there is none, or the error is not about the engine.
        """
        if engine.look(server).state is not ServerState.ABSENT:
            raise error
        self.project.forget()
        other = self.engines.after(engine.name) if option.value == AUTO else None
        if other is None or not isinstance(error, (EngineUnavailableError, ServerFailedError)):
            raise error
        note(f"not by {engine.name}: {error.text}")
        note(f"by {other.name}: {other.describe()}")
        return other

    def _stop_other(self, remembered: Remembered, note: Note) -> None:
        """Stop the server of the previous engine, which uses the port."""
        old = self.engines.named(remembered.engine)
        try:
            stopped = old.stop(remembered.server(self.project.folder), note=note)
        except EngineUnavailableError:
            return
        if stopped:
            note(
                f"stopped the server of the engine {old.name}; its data is kept, to go back to "
                f"it: chatdb dev-db up --engine {old.name}"
            )

    def _with_port(
        self, server: DevServer, option: DevServerOption, before: ServerLook, *, is_up: bool
    ) -> DevServer:
        if is_up and before.port is not None:
            if option.asked and not _is_auto(option) and server.port != before.port:
                raise RefusedError(
                    f"the development server is already running on port {before.port}",
                    hint=f"chatdb dev-db stop && chatdb dev-db up --port {server.port}",
                )
            return replace(server, port=before.port)
        return server

    def _remember(self, engine: Engine, server: DevServer) -> None:
        now = filled(Remembered, server, engine=engine.name, path=str(self.project.folder))
        if now != self.project.load():
            self.project.save(now)


def _start(
    engine: Engine, server: DevServer, *, may_move: bool, seconds: float, note: Note
) -> DevServer:
    """Start it, with `may_move` on the next free port; return it with its actual port."""
    for left in reversed(range(_PORT_TRIES if may_move else 1)):
        if may_move:
            server = replace(server, port=first_free(server.port))
        try:
            engine.start(server, seconds=seconds, note=note)
            break
        # Another program can take the port between the look and the start.
        except PortTakenError:
            if not left:
                raise
    return server


def _old_password(
    server: DevServer, remembered: Remembered | None, before: ServerLook
) -> str | None:
    """Return the password stored in the data, if a different one is set now."""
    if remembered is None or before.state is ServerState.ABSENT:
        return None
    is_changed = remembered.user == server.user and remembered.password != server.password
    return remembered.password if is_changed else None


def _by_either(
    start: "partial[DevServer]", engine: Engine, server: DevServer, old_password: str | None
) -> tuple[DevServer, str | None]:
    """Start the server; return it and its old password, None if it has the new one.

    It has the new one already if chatdb was killed between changing it and recording that.
    """
    if old_password is None:
        return start(engine, server), None
    try:
        return start(engine, replace(server, password=old_password)), old_password
    except LoginRefusedError:
        server = replace(server, port=engine.look(server).port or server.port)
        return start(engine, server, may_move=False), None


def _change_password(server: DevServer, old_password: str, note: Note) -> None:
    from chatdb.db.postgresql.server_databases import Server

    with Server.open(replace(server, password=old_password).url) as connected:
        connected.set_password(server.user, server.password)
    note(f"changed the password of {server.user} to the one set now")


def _is_auto(port: DevServerOption) -> bool:
    return _port(port) is None


def _port(option: DevServerOption) -> int | None:
    try:
        return parse_port(option.value)
    except ValueError as error:
        raise UsageError(
            f"invalid port {option.value!r}", hint="use a number up to 65535, or auto: --port 5433"
        ) from error


def _check_names(options: DevServerOptions) -> None:
    """Refuse values that PostgreSQL cannot use; the password is passed as one line."""
    for what, option in (("user", options.user), ("database", options.database)):
        name = option.value
        if not name.strip() or not name.isprintable() or len(name.encode()) > LONGEST_NAME:
            raise ConfigurationError(
                f"invalid {what} for the development server: {name!r}",
                hint=f"at most {LONGEST_NAME} bytes, no invisible characters: "
                f"CHATDB_DEV_{what.upper()}",
            )
    if any(mark in options.user.value for mark in _NEVER_IN_A_USER):
        raise ConfigurationError(
            f"PostgreSQL's initdb cannot create the user {options.user.value!r}",
            hint=f"set CHATDB_DEV_USER to a name without {' '.join(_NEVER_IN_A_USER)}",
        )
    if options.user.value.startswith("pg_") or options.database.value in ("template0", "template1"):
        raise ConfigurationError(
            "PostgreSQL reserves users called pg_... and the template databases for itself",
            hint="set CHATDB_DEV_USER and CHATDB_DEV_DATABASE to other names",
        )
    if not options.password.value or not options.password.value.isprintable():
        raise ConfigurationError(
            "the development server's password is empty, or contains invisible characters",
            hint="set CHATDB_DEV_PASSWORD to another one",
        )
