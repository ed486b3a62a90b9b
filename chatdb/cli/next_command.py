"""Makes hints name the same database as the command that was typed."""

import re
import shlex

from chatdb.cli.options import GlobalOptions

ON_A_DATABASE = (
    *("migrate", "schema", "list", "show", "open", "import", "export", "copy", "search-index"),
    *("search", "conversations", "messages", "attachments", "snapshots", "organizations", "users"),
    *("status", "stats", "doctor", "wait", "connect", "seed", "environment", "backup", "restore"),
    *("kept", "smoke-test", "roles", "security", "embeddings", "dev-db checkpoint"),
)
"""The commands that take `-d`; another word after `chatdb` is none, or makes no use of it."""
_COMMAND = re.compile(rf"\bchatdb (?=(?:{'|'.join(ON_A_DATABASE)})\b)")
_NAMED = ("-d ", "--database-url", "--into ")


def for_the_same_database(text: str, options: GlobalOptions | None) -> str:
    """Insert the typed `-d` and `--schema` into the commands of a hint.

    Without them the command would use another database. A password is struck out. A hint that
    already names a database stays unchanged.
    """
    typed = _typed(options, has_schema="--schema" in text, has_attachments="attachments" in text)
    if not typed or any(word in text for word in _NAMED):
        return text
    return _COMMAND.sub(lambda _: f"chatdb {typed} ", text)


def _typed(options: GlobalOptions | None, *, has_schema: bool, has_attachments: bool) -> str:
    words: list[str] = []
    if options is not None and options.database_url is not None:
        from chatdb.db.url import parse_url
        from chatdb.errors import ConfigurationError

        try:
            words += ["-d", parse_url(options.database_url).redacted()]
        except ConfigurationError:
            return ""
    if options is not None and options.schema is not None and not has_schema:
        words += ["--schema", options.schema]
    if has_attachments and options is not None and options.attachments_dir is not None:
        words += ["--attachments-dir", options.attachments_dir]
    return shlex.join(words)
