"""Whether a message's tool calls run code: one expression, written for each database."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_NAMES = ("code", "command", "sql")
"""What calls name the code that they are given."""
_INPUTS = ("arguments", "input", "parameters", "args")
"""What may hold it as JSON that is written as a text."""
_NO_LANGUAGE = ("", "json", "unknown")


class runs_code(FunctionElement[bool]):  # noqa: N801 - it stands for a function
    """Whether one of a message's calls is given code, or is the language of its words."""

    type = sa.Boolean()
    inherit_cache = True


@compiles(runs_code, "postgresql")
def _runs_code_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    calls = compiler.process(element.clauses, **options)
    given = " || ".join(f'@.{name} like_regex "[^ ]"' for name in _NAMES)
    written = " || ".join(
        f'@.{name} like_regex "^[{{].*\\"({"|".join(_NAMES)})\\":" flag "s"' for name in _INPUTS
    )
    language = " && ".join(f'@.language != "{each}"' for each in _NO_LANGUAGE)
    # Strict: a member that is a list would count for its items, and each twice.
    paths = (
        f"strict $.** ? ({given} || {written})",
        f'strict $[*] ? (@.name == "python" || @.language.type() == "string" && {language})',
    )
    found = " OR ".join(f"{calls} @? '{path}'::jsonpath" for path in paths)
    return f"coalesce({found}, false)"


@compiles(runs_code)
def _runs_code(element: Any, compiler: Any, **options: Any) -> str:
    calls = compiler.process(element.clauses, **options)
    given = f"key IN ({_list(_NAMES)}) AND trim(value) <> ''"
    written = " OR ".join(f"value GLOB '{{*\"{name}\":*'" for name in _NAMES)
    own = (
        f"key = 'language' AND value NOT IN ({_list(_NO_LANGUAGE)})"
        " OR key = 'name' AND value = 'python'"
    )
    return (
        f"EXISTS (SELECT 1 FROM json_tree(CASE WHEN json_valid({calls}) THEN {calls} END)"
        f" WHERE type = 'text' AND ({given} OR key IN ({_list(_INPUTS)}) AND ({written})"
        # An item of the list itself: its path has no member in it.
        f" OR path GLOB '$[[]*' AND path NOT GLOB '*.*' AND ({own})))"
    )


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)
