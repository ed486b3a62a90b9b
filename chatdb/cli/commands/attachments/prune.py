"""`chatdb attachments prune`."""

import typer

from chatdb.cli.commands.attachments.saved import saved_deletions
from chatdb.cli.confirm import confirm
from chatdb.cli.context import CommandContext
from chatdb.cli.options import AllOrgsOption, DryRunOption, YesOption
from chatdb.cli.organizations_meant import scope_of
from chatdb.cli.text import counted
from chatdb.primitives.sizes import size_text


def prune(
    context: typer.Context,
    all_orgs: AllOrgsOption = False,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Remove kept files that no message has any more.

    What a saved deletion can bring back stays: chatdb kept prune removes those first.

    \b
    Examples:
      chatdb attachments prune --dry-run
      chatdb attachments prune --all-orgs --yes
    """
    from chatdb.operations.attachments.prune import prune_attachments

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    store = command.file_store
    with command.open_database() as database:
        saved = saved_deletions(command)
        report = prune_attachments(database, store, saved, organization_key=scope, dry_run=True)
        if not dry_run and report.files:
            plan = [
                f"{counted(report.files, 'file')} that no message has, {size_text(report.bytes)}"
            ]
            action = f"delete from {store.folder}, the attachments of"
            confirm(command, plan, yes=yes, action=action)
        if not dry_run:
            report = prune_attachments(database, store, saved, organization_key=scope)
    command.output.record(report)
