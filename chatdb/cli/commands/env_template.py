"""`chatdb env-template`: write a `.env.example` with every setting."""

from pathlib import Path
from typing import Annotated

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import option
from chatdb.errors import RefusedError
from chatdb.variables import env_template

app = command_app()


@app.command(name="env-template")
def write_env_template(
    context: typer.Context,
    output: Annotated[Path, option("--output -o FILE", "File to write; - is stdout.")] = Path(
        ".env.example"
    ),
    force: Annotated[bool, option("--force", "Replace an existing file that differs.")] = False,
) -> None:
    """Write a commented .env.example with every setting.

    Each setting is commented out, with its default: a copy named .env changes nothing until you
    edit it.

    \b
    Examples:
      chatdb env-template
      chatdb env-template --output -
    """
    from chatdb.operations.dev_db.project_files import put_file

    command = CommandContext.of(context)
    if str(output) == "-":
        command.output.text(env_template().rstrip("\n"))
        return
    done = put_file(output, env_template(), force=force)
    if done.action == "kept":
        raise RefusedError(
            f"{output} already exists and differs; nothing was written",
            hint="to replace it: --force; to print the new text: --output -",
        )
    kept = f"; the previous one is {done.old}" if done.old else ""
    command.diagnostics.note(
        f"{output} is up to date" if done.action == "unchanged" else f"wrote {output}{kept}"
    )
