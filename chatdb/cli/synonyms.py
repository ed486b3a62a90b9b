"""Other words by which people look for a command, and the command that does it."""

from collections.abc import Collection

_ROOT = {
    **dict.fromkeys(("rollback", "downgrade", "revert"), "schema downgrade"),
    **dict.fromkeys(("upgrade", "init-db", "initdb", "migrations", "update"), "migrate"),
    "history": "schema history",
    **dict.fromkeys(("sql", "psql", "sqlite", "sqlite3", "shell", "query", "db"), "connect"),
    **dict.fromkeys(("up", "start"), "dev-db up"),
    "down": "dev-db down",
    "stop": "dev-db stop",
    "logs": "dev-db logs",
    "reset": "dev-db reset",
    "checkpoint": "dev-db checkpoint",
    **dict.fromkeys(("delete", "rm", "remove", "purge"), "conversations delete"),
    "erase": "conversations delete ID --no-keep",
    **dict.fromkeys(("undelete", "recover"), "kept restore"),
    "undo": "restore --undo",
    **dict.fromkeys(("serve", "server", "web", "ui", "gui", "studio", "browse"), "open ID"),
    **dict.fromkeys(("html", "site", "publish", "share"), "export --to html --output pages/"),
    **{
        name: f"export --to {name} --output chats.{name}"
        for name in ("csv", "json", "jsonl", "parquet", "pdf")
    },
    "markdown": "export --to markdown --output notes/",
    **dict.fromkeys(("dump", "save"), "backup create"),
    "load": "import FILE",
    **dict.fromkeys(("ls", "ll", "conversation", "chats"), "list"),
    **dict.fromkeys(("cat", "view", "read", "print", "get"), "show ID"),
    **dict.fromkeys(("find", "grep", "lookup"), "search WORDS"),
    **dict.fromkeys(("login", "grant"), "roles create"),
    **dict.fromkeys(("logout", "revoke"), "roles drop NAME"),
    **dict.fromkeys(("tenants", "orgs", "org", "workspaces"), "organizations list"),
    **dict.fromkeys(("files", "images"), "attachments list"),
    **dict.fromkeys(("sync", "clone", "transfer"), "copy"),
    **dict.fromkeys(("env", "settings", "whoami", "url"), "config show"),
    **dict.fromkeys(("ping", "health"), "wait"),
    **dict.fromkeys(("check", "diagnose"), "doctor"),
    "verify": "backup verify",
    "diff": "backup diff",
    "prune": "backup prune",
    "test": "smoke-test",
    "demo": "seed",
    "reindex": "search-index rebuild",
    **dict.fromkeys(("count", "report", "analytics"), "stats"),
    "new": "conversations create",
    "add": "messages add",
    "edit": "messages edit",
    **{
        verb: f"conversations {verb}"
        for verb in (
            *("create", "rename", "star", "unstar", "archive", "unarchive", "pin", "unpin"),
            *("fork", "split", "merge"),
        )
    },
    "version": "--version",
    "help": "--help",
}
"""Of `chatdb` itself."""

_OF_ANY_GROUP = {
    **dict.fromkeys(("ls", "ll"), ("list", "show")),
    **dict.fromkeys(("rm", "remove", "delete", "drop"), ("delete", "drop", "prune", "unset")),
    **dict.fromkeys(
        ("cat", "view", "get", "read", "print", "info", "list"), ("show", "status", "list")
    ),
    **dict.fromkeys(("new", "add", "make", "insert"), ("create", "add", "save", "up")),
    **dict.fromkeys(("mv", "edit", "update"), ("rename", "edit", "set")),
    **dict.fromkeys(("rollback", "revert", "down"), ("downgrade", "restore")),
    **dict.fromkeys(("start", "run", "create"), ("up",)),
    **dict.fromkeys(("verify", "test"), ("check",)),
    **dict.fromkeys(("load", "undo", "recover"), ("restore",)),
    **dict.fromkeys(("dump", "write", "extract"), ("export",)),
    "psql": ("connect",),
    "clean": ("prune",),
}
"""Of a group below it: the first of these that the group has."""


def command_meant(path: str, word: str, names: Collection[str]) -> str | None:
    """Return the command line that does what a word stands for, None if nothing does.

    `path` is the group that the word was given to, `names` are its commands.
    """
    word = word.lower()
    if " " not in path:
        return f"{path} {_ROOT[word]}" if word in _ROOT else None
    return next((f"{path} {name}" for name in _OF_ANY_GROUP.get(word, ()) if name in names), None)
