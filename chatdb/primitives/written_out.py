"""Functions written out as source when a module is loaded, where a loop would cost each call."""

from collections.abc import Callable
from typing import Any


def written_out(source: str, name: str, known: dict[str, Any]) -> Callable[..., Any]:
    """Return the function `name` that the source defines; it may use the names of `known`.

    The source is made of names in the code, such as those of columns: never of data.
    """
    exec(source, known)  # noqa: S102 - see above
    function: Callable[..., Any] = known[name]
    return function
