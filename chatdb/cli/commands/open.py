"""`chatdb open`: one conversation as a page in the browser."""

from typing import Annotated

import typer

from chatdb import config as settings
from chatdb.cli.context import CommandContext
from chatdb.cli.export_report import report
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import AllOrgsOption, ConversationArgument, UserOption, option
from chatdb.cli.organizations_meant import scope_of, telling_who_has_some

app = command_app()


@app.command(name="open")
def open_(
    context: typer.Context,
    conversation: ConversationArgument,
    user: UserOption = None,
    all_branches: Annotated[
        bool, option("--all-branches", "Show the messages of every branch.")
    ] = False,
    include_hidden: Annotated[
        bool, option("--include-hidden", "Also show messages that the source hid.")
    ] = False,
    all_orgs: AllOrgsOption = False,
    no_browser: Annotated[
        bool, option("--no-browser", "Write the page, but do not open a browser.")
    ] = False,
) -> None:
    """Open a conversation as a page in the browser.

    The page is the one that chatdb export --to html writes. It is a temporary file that only you
    can read, and its path is printed; pages older than a day are removed by the next chatdb open.
    BROWSER in the environment chooses the browser.

    \b
    Examples:
      chatdb open last
      chatdb open 3f9a12bc --all-branches --no-browser
    """
    from chatdb.operations.exporting.page import write_page

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    with (
        command.open_database(user=user) as database,
        telling_who_has_some(command, database, scope),
    ):
        page, written = write_page(
            database,
            conversation,
            organization_key=scope,
            user_id=user,
            all_branches=all_branches,
            include_hidden=include_hidden,
            store=command.file_store_of(),
        )
    command.output.text(str(page))
    if not no_browser:
        command.output.flush()
        if not settings.has_browser() or not _shown(page.as_uri()):
            command.diagnostics.note("there is no browser here; the page is in the file above")
    report(command, written, None)


def _shown(address: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False
