"""`chatdb env-template`: write a `.env.example` with every setting."""

from pathlib import Path
from typing import Annotated

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.errors import RefusedError
from chatdb.variables import env_template

app = command_app()


@app.command(name="env-template")
def write_env_template(
    context: typer.Context,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file; - is stdout.")
    ] = Path(".env.example"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace the file if there is another.")
    ] = False,
) -> None:
    """Write a commented .env.example with every setting.

    Each setting has its default, commented out: copied to .env it changes nothing yet.

    \b
    Examples:
      chatdb env-template
      chatdb env-template --output -
    """
    from chatdb.workflows.project_files import put_file

    command = CommandContext.of(context)
    if str(output) == "-":
        command.output.text(env_template().rstrip("\n"))
        return
    done = put_file(output, env_template(), force=force)
    if done.action == "kept":
        raise RefusedError(
            f"{output} is there already, and it is another; nothing was written",
            hint="replace it: --force; or print what it would be: --output -",
        )
    kept = f"; the one before is {done.old}" if done.old else ""
    command.diagnostics.note(
        f"{output} is as it should be" if done.action == "unchanged" else f"wrote {output}{kept}"
    )
