"""The options that select conversations by their flags: `--starred`, `--no-starred` ..."""

from collections.abc import Callable, Collection
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

from chatdb.cli.options import option
from chatdb.store.columns import FLAGS

Command = Callable[..., None]


def with_flags(help_text: str, *, off: Collection[str] = ()) -> Callable[[Command], Command]:
    """Give a command the options `--FLAG/--no-FLAG` in place of its parameter `flags`.

    It gets those that were given, each with its value. `{}` in the help stands for the flag; those
    that are `off` by default say so.
    """

    def help_of(flag: str) -> str:
        return help_text.format(flag) + ("  [default: no]" if flag in off else "")

    def decorate(command: Command) -> Command:
        @wraps(command)
        def called(**given: Any) -> None:
            flags = {flag: given.pop(flag) for flag in FLAGS}
            set_ones = {flag: value for flag, value in flags.items() if value is not None}
            command(**given, flags=set_ones)

        own = signature(command)
        options = [
            Parameter(
                flag,
                Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[bool | None, option(f"--{flag}/--no-{flag}", help_of(flag))],
            )
            for flag in FLAGS
        ]
        parameters = [
            made
            for name, each in own.parameters.items()
            for made in (
                options if name == "flags" else [each.replace(kind=Parameter.KEYWORD_ONLY)]
            )
        ]
        called.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate
