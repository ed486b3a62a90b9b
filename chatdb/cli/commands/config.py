"""`chatdb config`: the settings and their sources."""

from dataclasses import dataclass

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import group_app
from chatdb.cli.options import Format, FormatOption

app = group_app("Show the settings and where they come from.")


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One row: URLs are redacted, `value` is None for a setting that is not set."""

    name: str
    value: str | None
    source: str


@app.command()
def show(context: typer.Context, output_format: FormatOption = Format.TABLE) -> None:
    """Show each setting, redacted, and where it came from.

    \b
    Example:
      chatdb config show --format json
    """
    command = CommandContext.of(context)
    config = command.config
    direct = command.direct_url
    rows = [
        ShownSetting("database_url", command.url.redacted(), config.database_url.source),
        ShownSetting(
            "direct_url",
            None if direct is None else direct.redacted(),
            "not set" if config.direct_url is None else config.direct_url.source,
        ),
        ShownSetting(
            "schema",
            None if config.schema is None else config.schema.value,
            "not set" if config.schema is None else config.schema.source,
        ),
        ShownSetting("org", config.org.value, config.org.source),
    ]
    command.output.rows(rows, ShownSetting, output_format)
