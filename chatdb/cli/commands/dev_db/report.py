"""What `chatdb dev-db up` prints at its end: where the database is, and what to type next."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from chatdb.cli.confirm import would_be
from chatdb.cli.context import CommandContext
from chatdb.primitives.filled import filled

if TYPE_CHECKING:
    from chatdb.db.url import DatabaseUrl
    from chatdb.operations.dev_db.dev_db import Started


@dataclass(frozen=True, slots=True, kw_only=True)
class UpReport:
    """What `up` did; `outcome` is made, started or running, `url` is redacted.

    `revisions` are those applied (None: not asked for), `seeded` counts the new conversations,
    `env_file` is the file that now has the URL.
    """

    outcome: str
    engine: str
    url: str
    port: int
    user: str
    database: str
    major: int | None
    process: str | None
    data: str | None
    seconds: float
    revisions: tuple[str, ...] | None
    seeded: int | None
    env_file: str | None

    @classmethod
    def of(
        cls,
        started: "Started",
        *,
        revisions: tuple[str, ...] | None,
        seeded: int | None,
        env_file: str | None,
    ) -> Self:
        """Return the report of a server and what was done to it."""
        return filled(
            cls,
            started,
            started.look,
            started.server,
            url=started.server.url.redacted(),
            port=started.server.port,
            seconds=round(started.seconds, 3),
            revisions=revisions,
            seeded=seeded,
            env_file=env_file,
        )


def up_line(report: UpReport) -> str:
    """Return the summary: which server, what was done to it, and its URL."""
    how = {
        "made": f"made in {report.seconds:.1f} s",
        "started": f"started in {report.seconds:.1f} s",
        "running": "was already running",
    }[report.outcome]
    version = "PostgreSQL" if report.major is None else f"PostgreSQL {report.major}"
    return f"{version} ({report.engine}) {how}\n{report.url}"


def tell_next(command: CommandContext, url: "DatabaseUrl", report: UpReport) -> None:
    """Print the next commands, required ones first, none twice."""
    lines: list[str] = []
    if command.url != url and report.env_file is None:
        lines += [
            "chatdb dev-db up --write-env   # DATABASE_URL into .env",
            'export DATABASE_URL="$(chatdb dev-db url --show-password)"',
        ]
    if report.outcome != "running":
        if report.revisions is None:
            lines.append("chatdb dev-db up --migrate")
        if report.outcome == "made" and report.seeded is None:
            lines.append("chatdb dev-db up --seed        # made-up chats")
        lines += ["chatdb dev-db connect", "chatdb dev-db stop"]
    if lines and not command.options.quiet:
        command.diagnostics.block("next:\n" + "\n".join(f"  {line}" for line in lines))


def print_reset_plan(command: CommandContext, ahead: "Started", *, seed: bool) -> None:
    """Print what `reset` would do; as data, the report it would give."""
    from chatdb.db.migrating.scripts import scripts
    from chatdb.operations.seeding.seed import planned_conversations

    report = UpReport.of(
        ahead,
        revisions=tuple(script.revision for script in scripts()),
        seeded=planned_conversations() if seed else None,
        env_file=None,
    )
    made = "an empty, migrated one" if report.seeded is None else "one with made-up chats"
    words = would_be("made", [f"{report.url}, {made}"])
    if report.outcome != "made":
        kept = "(the current database is kept as a checkpoint)"
        words = would_be("replaced", [report.url, f"by {made}", kept])
    command.output.record(report, words=words)
